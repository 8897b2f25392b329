"""Makes a function with each turn, gone right after: its number tells its file, its name and the line of its call."""

import json

print(json.dumps("ready"), flush=True)
number = 0
while True:
    number += 1
    text = "def made_%d():\n sum(range(3000))%s\nmade_%d()\n" % (number, "\n" * (number % 7), number)
    exec(compile(text, "<code %d>" % number, "exec"), {})
