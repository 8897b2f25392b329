"""What is hidden in a command line, and what is not."""

from __future__ import annotations

import sys
import time
import unittest
from typing import Dict, List, Tuple

from .driver import AGENT

sys.path.insert(0, str(AGENT))

from pydebug_agent.target import masking
from pydebug_agent.target.masking import mask_command, mask_text

HIDDEN: List[Tuple[List[str], List[str]]] = [
    (["app", "--password", "s3cret"], ["app", "--password", "***"]),
    (["app", "--password", "-s3cret", "--port", "80"], ["app", "--password", "***", "--port", "80"]),
    (["app", "--token=s3cret"], ["app", "--token=***"]),
    (["app", "--DB_PASSWORD=s3 cret"], ["app", "--DB_PASSWORD=***"]),
    (["app", "token=s3cret"], ["app", "token=***"]),
    (["app", "--dbpassword", "s3cret"], ["app", "--dbpassword", "***"]),
    (["app", "-api-key", "s3cret"], ["app", "-api-key", "***"]),
    (["app", "--api_key=s3cret"], ["app", "--api_key=***"]),
    (["app", "--secret-key", "s3cret", "x"], ["app", "--secret-key", "***", "x"]),
    (["app", "--aws-secret-access-key", "s3cret"], ["app", "--aws-secret-access-key", "***"]),
    (["app", "postgres://bob:s3c%40ret@db:5432/x"], ["app", "postgres://bob:***@db:5432/x"]),
    (["app", "redis://:s3cret@h/0"], ["app", "redis://:***@h/0"]),
    (["app", "https://bob:s3:cr@et@h/"], ["app", "https://bob:***@h/"]),
    (["app", "https://0123456789abcdefghij@h/"], ["app", "https://***@h/"]),
    (["app", "--dsn", "https://k@sentry/1"], ["app", "--dsn", "***"]),
    (["app", "https://h/?access_token=s3cret&x=1"], ["app", "https://h/?access_token=***&x=1"]),
    (["app", "host=db password=s3cret user=bob"], ["app", "host=db password=*** user=bob"]),
    (["app", '{"password": "s3 cret", "n": 1}'], ["app", '{"password": ***, "n": 1}']),
    (["app", "Server=x;Password=s3cret;Port=1"], ["app", "Server=x;Password=***;Port=1"]),
    (["sh", "-c", "exec app --token s3cret --port 80"], ["sh", "-c", "exec app --token *** --port 80"]),
    (["sh", "-c", "DB_PASSWORD='s3 cret' app"], ["sh", "-c", "DB_PASSWORD=***"]),
    (["app", "-H", "Authorization: Bearer s3cret"], ["app", "-H", "Authorization: ***"]),
    (["app", "X: Bearer s3cretS3CRET"], ["app", "X: Bearer ***"]),
    (["app", "ghp_0123456789abcdefghij0123456789"], ["app", "***"]),
    (["app", "eyJhbGciOiJI.eyJzdWIiOiIx.c2ln"], ["app", "***"]),
]
SHOWN: List[List[str]] = [
    ["python", "-m", "tokenize", "app.py"],
    ["app", "--tokenizer", "bert", "--author", "me", "--passive", "yes"],
    ["app", "--port", "80", "--bind=0.0.0.0:8000"],
    ["app", "https://bob@host/path", "https://host:8080/x@y"],
    ["gunicorn: worker [app:create()]"],
    ["app", "--password"],
    ["app", "--monkey", "keyboard=x", "donkey=y"],
]
# What is found by this sign, and by no other.
SIGNED: Dict[str, str] = {
    "pass": "--passcode=s3cret", "pwd": "--pwd=s3cret", "secret": "--secret=s3cret", "token": "--token=s3cret",
    "cred": "--credentials=s3cret", "auth": "--auth=s3cret", "bearer": "x Bearer s3cretS3CRET",
    "basic": "x Basic s3cretS3CRET", "cookie": "--cookie=s3cret", "key": "--api-key=s3cret",
    "conn": "--connection-string=s3cret", "dsn": "--dsn=s3cret", "sas": "--sas=s3cret",
    "signature": "signature: s3cret",
    "://": "redis://:s3cret@h/0", "eyj": "eyJhbGciOiJI.eyJzdWIiOiIx.c2ln",
    "github_pat_": "github_pat_0123456789abcdefghij", "glpat-": "glpat-0123456789abcdefghij",
    "xox": "xoxb-0123456789abcdefghij", "akia": "AKIA0123456789ABCDEF", "sk-": "sk-0123456789abcdefghij",
    "npm_": "npm_0123456789abcdefghij", "pypi-": "pypi-0123456789abcdefghij",
    **{sign: sign + "0123456789abcdefghij" for sign in ("ghp_", "gho_", "ghu_", "ghs_", "ghr_")},
}


class Masking(unittest.TestCase):
    def test_each_sign_is_enough(self) -> None:
        self.assertEqual(set(masking._SIGNS), set(SIGNED))
        for sign, text in SIGNED.items():
            with self.subTest(sign=sign):
                self.assertEqual([sign], [other for other in masking._SIGNS if other in text.casefold()])
                self.assertIn("***", mask_text(text))
                self.assertNotIn("s3cret", mask_text(text))

    def test_secret_values_are_hidden(self) -> None:
        for command, expected in HIDDEN:
            with self.subTest(command=command):
                self.assertEqual(expected, mask_command(command))

    def test_nothing_else_is(self) -> None:
        for command in SHOWN:
            with self.subTest(command=command):
                self.assertEqual(command, mask_command(command))

    def test_a_hostile_argument_takes_no_time(self) -> None:
        pieces = ["x", "-", "a-", "--", "token", "password ", "a://", "eyJ-", "--a-", "token= ", "Bearer "]
        pieces += ['"', "a://b:", "_."]
        for piece in pieces:
            with self.subTest(piece=piece):
                argument = (piece * 4096)[:4096]
                start = time.process_time()
                mask_command([argument] * 4)
                self.assertLess(time.process_time() - start, 1.0)

    def test_text_of_several_lines(self) -> None:
        self.assertEqual("a\ntoken=***\nb", mask_text("a\ntoken=x\nb"))


if __name__ == "__main__":
    unittest.main()
