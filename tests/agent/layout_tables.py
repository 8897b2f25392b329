"""Makes the tables of CPython's structures anew from its headers, with the C compiler that is there.

    python3 -m tests.agent.layout_tables FOLDER [FOLDER ...]

A folder is one that has Python.h, such as /usr/include/python3.11. Printed is, for each, the row of
``reader/layouts._OLD`` for its minor, and how long the lock of its GIL is. What a field is in the headers stands below,
minor by minor where it moved; the headers are Include/cpython and Include/internal of CPython's source.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from typing import Dict, List, Tuple

# Since which minor it is what, as a C expression; -1 where there is none.
_RUNTIME, _INTERPRETER, _THREAD = "_PyRuntimeState", "PyInterpreterState", "PyThreadState"
_FRAME, _OLD_FRAME, _CODE = "_PyInterpreterFrame", "PyFrameObject", "PyCodeObject"
Source = Tuple[Tuple[int, str], ...]
FIELDS: Dict[str, Source] = {
    # pycore_runtime.h, pycore_ceval_state.h (3.11), pycore_interp.h
    "runtime_head": ((8, f"offsetof({_RUNTIME}, interpreters.head)"),),
    "runtime_gil": ((8, f"offsetof({_RUNTIME}, ceval.gil)"), (12, "-1")),
    "interpreter_threads": (
        (8, f"offsetof({_INTERPRETER}, tstate_head)"), (11, f"offsetof({_INTERPRETER}, threads.head)"),
    ),
    "interpreter_next": ((8, f"offsetof({_INTERPRETER}, next)"),),
    "interpreter_modules": (
        (8, f"offsetof({_INTERPRETER}, modules)"), (12, f"offsetof({_INTERPRETER}, imports.modules)"),
    ),
    "interpreter_gil": ((8, "-1"), (12, f"offsetof({_INTERPRETER}, ceval.gil)")),
    # cpython/pystate.h
    "thread_next": ((8, f"offsetof({_THREAD}, next)"),),
    "thread_interpreter": ((8, f"offsetof({_THREAD}, interp)"),),
    "thread_ident": ((8, f"offsetof({_THREAD}, thread_id)"),),
    "thread_native": ((8, "-1"), (11, f"offsetof({_THREAD}, native_thread_id)")),
    "thread_frame": ((8, f"offsetof({_THREAD}, frame)"), (11, "-1")),
    "thread_cframe": ((8, "-1"), (11, f"offsetof({_THREAD}, cframe)")),
    "cframe_frame": ((8, "-1"), (11, "offsetof(_PyCFrame, current_frame)")),
    "thread_chunk": ((8, "-1"), (11, f"offsetof({_THREAD}, datastack_chunk)")),
    # cpython/frameobject.h (frameobject.h in 3.8), from 3.11 on pycore_frame.h
    "frame_previous": ((8, f"offsetof({_OLD_FRAME}, f_back)"), (11, f"offsetof({_FRAME}, previous)")),
    "frame_code": ((8, f"offsetof({_OLD_FRAME}, f_code)"), (11, f"offsetof({_FRAME}, f_code)")),
    "frame_instruction": ((8, f"offsetof({_OLD_FRAME}, f_lasti)"), (11, f"offsetof({_FRAME}, prev_instr)")),
    "frame_owner": ((8, "-1"), (11, f"offsetof({_FRAME}, owner)")),
    "frame_locals": ((8, f"offsetof({_OLD_FRAME}, f_localsplus)"), (11, f"offsetof({_FRAME}, localsplus)")),
    "frame_stacktop": ((8, "-1"), (11, f"offsetof({_FRAME}, stacktop)")),
    # cpython/code.h (code.h in 3.8)
    "code_file": ((8, f"offsetof({_CODE}, co_filename)"),),
    "code_qualname": ((8, f"offsetof({_CODE}, co_name)"), (11, f"offsetof({_CODE}, co_qualname)")),
    "code_name": ((8, f"offsetof({_CODE}, co_name)"),),
    "code_lines": (
        (8, f"offsetof({_CODE}, co_lnotab)"), (10, f"offsetof({_CODE}, co_linetable)"),
    ),
    "code_first_line": ((8, f"offsetof({_CODE}, co_firstlineno)"),),
    "code_start": ((8, "-1"), (11, f"offsetof({_CODE}, co_code_adaptive)")),
    # cpython/bytesobject.h, cpython/unicodeobject.h, cpython/object.h, cpython/genobject.h (genobject.h before 3.11)
    "bytes_value": ((8, "offsetof(PyBytesObject, ob_sval)"),),
    "str_state": ((8, "offsetof(PyASCIIObject, state)"),),
    "str_length": ((8, "offsetof(PyASCIIObject, length)"),),
    "str_ascii": ((8, "sizeof(PyASCIIObject)"),),
    "str_compact": ((8, "sizeof(PyCompactUnicodeObject)"),),
    "type_keys": ((8, "offsetof(PyHeapTypeObject, ht_cached_keys)"),),
    "generator_frame": ((8, "offsetof(PyGenObject, gi_frame)"), (11, "offsetof(PyGenObject, gi_iframe)")),
}
# pycore_gil.h; a free-threaded build adds a member, ``enabled``.
_LOCK = "sizeof(struct _gil_runtime_state)"

_PROGRAM = """
#define Py_BUILD_CORE 1
#include <Python.h>
#include <frameobject.h>
#include <stddef.h>
#include <stdio.h>
#if PY_MINOR_VERSION >= 9
#include <internal/pycore_runtime.h>
#include <internal/pycore_interp.h>
#endif
#include <internal/pycore_pystate.h>
#if PY_MINOR_VERSION >= 11
#include <internal/pycore_frame.h>
#endif
int main(void) {
    printf("%d\\n", PY_MINOR_VERSION);
    long found[] = {@};
    for (unsigned place = 0; place < sizeof(found) / sizeof(*found); place++) printf("%ld\\n", found[place]);
    return 0;
}
"""


def row(folder: str) -> Tuple[int, Dict[str, int], int]:
    """Return the minor that a folder's headers are of, its fields, and the length of its GIL's lock in bytes.

    Raises OSError where there is no compiler or the headers cannot be compiled.
    """
    minor = _minor(folder)
    wanted = [_of(source, minor) for source in FIELDS.values()] + [_LOCK]
    with tempfile.TemporaryDirectory(prefix="pydebug-layouts-") as place:
        program = os.path.join(place, "row")
        with open(program + ".c", "w", encoding="utf-8") as file:
            file.write(_PROGRAM.replace("@", ", ".join(f"(long)({words})" for words in wanted)))
        command = ["cc", "-w", "-I", folder, "-I", os.path.join(folder, "internal"), "-o", program, program + ".c"]
        run = subprocess.run(command, stderr=subprocess.PIPE, text=True)
        if run.returncode != 0:
            raise OSError(f"{folder}: {run.stderr.strip()}")
        said = subprocess.run([program], stdout=subprocess.PIPE, check=True, text=True).stdout.split()
    numbers: List[int] = [int(word) for word in said]
    if numbers[0] != minor:
        raise OSError(f"{folder} is of 3.{numbers[0]}, not of 3.{minor}")
    return minor, dict(zip(FIELDS, numbers[1:])), numbers[-1]


def _of(source: Source, minor: int) -> str:
    return [words for since, words in source if since <= minor][-1]


def _minor(folder: str) -> int:
    with open(os.path.join(folder, "patchlevel.h"), encoding="utf-8") as file:
        for line in file:
            words = line.split()
            if words[:2] == ["#define", "PY_MINOR_VERSION"]:
                return int(words[2])
    raise OSError(f"{folder} has no version of Python")


def main() -> None:
    for folder in sys.argv[1:]:
        minor, fields, lock = row(folder)
        print(f"{minor}: ({', '.join(map(str, fields.values()))}),  # the GIL's lock: {lock} bytes")


if __name__ == "__main__":
    main()
