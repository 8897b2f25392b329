"""Names references: an attribute, a local, an item; and containers with what tells them apart."""

from __future__ import annotations

import re
import struct
from typing import Dict, List, Optional, Tuple

from ..reader.memory import Fault
from ..target.masking import MASK, mask_text
from .climb import Climb, Node
from .kinds import DICT, EXCEPTION, INLINE_VALUES, MANAGED_DICT, TUPLE, TYPE, Kind
from .roots import Roots
from .subject import Subject
from .tables import shape_of

_LONGEST_KEY = 60
_MOST_STEPS, _FIRST_STEPS, _LAST_STEPS = 24, 8, 6
_GENERATORS = frozenset(("generator", "coroutine", "async_generator"))
# What a secret's name or value looks like in a key.
_SECRET = re.compile(r"(?i)(pass(?:word|wd)?|pwd|secret|token|credential|auth|cookie|session|api.?key)(.).*")
_RANDOM = re.compile(r"(?=[A-Za-z_\-]*\d)[A-Za-z0-9_\-+/=.]{16,}")
_FUNCTION = {16: "__globals__", 24: "__builtins__", 32: "__name__", 40: "__qualname__", 48: "__code__",
             56: "__defaults__", 64: "__kwdefaults__", 72: "__closure__", 80: "__doc__", 88: "__dict__"}
_OLD_FUNCTION = {16: "__code__", 24: "__globals__", 32: "__defaults__", 40: "__kwdefaults__", 48: "__closure__",
                 56: "__doc__", 64: "__name__", 72: "__dict__"}
_TRACEBACK = {16: "tb_next", 24: "tb_frame"}
_NDARRAY = {48: "base", 56: "dtype"}
_OWN_DICT = 248
_KINDS = {"b": "bool", "i": "int", "u": "uint", "f": "float", "c": "complex", "S": "bytes", "U": "str", "O": "object",
          "V": "record", "M": "datetime", "m": "timedelta"}

Chain = List[Tuple[Node, int]]


class References:
    """Tells chains of references, from the root on."""

    def __init__(self, subject: Subject, roots: Roots, climb: Climb, keys: bool) -> None:
        self._subject = subject
        self._layout = subject.layout
        self._objects = roots.objects
        self._roots = roots
        self._climb = climb
        self._keys = keys

    def steps(self, chain: Chain) -> List[str]:
        """Return a chain as steps: the root, then each reference with the object it leads to but for the last."""
        first = chain[0][0]
        steps = [first.root.text if first.root is not None else self.title(first)]
        space = self._is_namespace(None, first, 0)
        for index in range(1, len(chain)):
            upper, place = chain[index - 1][0], chain[index - 1][1]
            lower = chain[index][0]
            owner = chain[index - 2][0] if index > 1 else None
            text = self._edge(upper, lower, place, owner, space)
            space = self._is_namespace(upper, lower, place) or space and lower.kind is None
            if lower.kind is None:
                if text:
                    steps.append(text)
                continue
            if index < len(chain) - 1 and not space:
                text += " -> " + self.title(lower)
            if text:
                steps.append(text)
        return _short(steps)

    # Nodes

    def title(self, node: Node) -> str:
        """Return what an object is called: its type, of a coroutine its function, of an array its content."""
        kind = node.kind
        if kind is None:
            return "%d bytes of a library" % node.size
        name = self._subject.kinds.full_name(kind)[1]
        if kind.short in _GENERATORS:
            return "%s %s" % (name, self._climb.coroutine(node.address))
        detail = self.detail(node)
        return "%s %s" % (name, detail) if detail else name

    def detail(self, node: Node) -> str:
        """Return an array's content: its type and shape; empty for everything else."""
        if node.kind is None or shape_of(self._subject.kinds, node.kind) != "ndarray":
            return ""
        try:
            read = self._subject.pages.read
            count, dimensions = struct.unpack("<QQ", read(node.address + 24, 16))
            count &= 0xFFFFFFFF
            shape = struct.unpack("<%dQ" % count, read(dimensions, 8 * count)) if 0 < count <= 8 else ()
            description = read(self._subject.pages.u64(node.address + 56), 48)
            size = self._item_size(description)
            letter = chr(description[24])
            name = _KINDS.get(letter, letter)
            bits = str(8 * size) if letter in "iufc" and size else ""
            return "%s%s (%s)" % (name, bits, ", ".join(map(str, shape)))
        except (Fault, struct.error):
            return ""

    @staticmethod
    def _item_size(description: bytes) -> int:
        # Up to numpy 1 the size is an int, from 2 on a word behind the flags.
        old, new = struct.unpack_from("<i", description, 32)[0], struct.unpack_from("<q", description, 40)[0]
        for size in (old, new):
            if 0 < size <= 64:
                return int(size)
        return 0

    # Edges

    def _is_namespace(self, upper: Optional[Node], lower: Node, place: int) -> bool:
        """Whether a dict holds attributes, whose names are code and not data."""
        if upper is None:
            return lower.root is not None and lower.root.kind == "Module"
        if lower.kind is None or not lower.kind.has(DICT) or upper.kind is None:
            return False
        offset = place - upper.address
        return (
            offset < 0
            or offset == upper.kind.dict_offset
            or upper.kind.has(TYPE) and offset == self._layout.header + _OWN_DICT
            or upper.kind.name == "module" and offset == self._layout.header
            or upper.kind.name == "function" and self._function(offset) in ("__globals__", "__dict__")
        )

    def _edge(self, upper: Node, lower: Node, place: int, owner: Optional[Node], space: bool) -> str:
        try:
            if upper.kind is not None:
                return self._of_object(upper, upper.kind, lower, place)
            if upper.root is not None and upper.root.kind != "Module":
                return ""
            return self._of_table(upper, place, owner, space)
        except (Fault, struct.error, IndexError):
            return ""

    def _of_object(self, upper: Node, kind: Kind, lower: Node, place: int) -> str:
        offset = place - upper.address
        layout = self._layout
        if lower.kind is None or offset < 0 or self._is_namespace(upper, lower, place):
            return ""
        if kind.has(TUPLE) and offset >= layout.tuple_item:
            name = kind.members and self._subject.kinds.members_of(kind).get(offset)
            return "." + name if name else "[%d]" % ((offset - layout.tuple_item) // 8)
        if shape_of(self._subject.kinds, kind) == "set":
            return "{*}"
        if kind.name == "cell":
            return ".cell_contents"
        if kind.short in _GENERATORS and not layout.heap_frames and offset >= layout.generator_frame:
            frame = upper.address + layout.generator_frame
            code = self._subject.pages.u64(frame + layout.frame_code) & ~7
            return self._variable(code, (place - frame - layout.frame_locals) // 8)
        if kind.name == "frame":
            return self._in_frame(upper, kind, offset)
        member = self._subject.kinds.members_of(kind).get(offset)
        if member:
            return "." + member
        if kind.has(INLINE_VALUES) and self._subject.minor >= 13 and offset >= kind.basic:
            return "." + self._attribute(kind, (offset - kind.basic - 8) // 8)
        known = ""
        if kind.name == "function":
            known = self._function(offset)
        elif kind.name == "traceback":
            known = _TRACEBACK.get(offset, "")
        elif kind.has(EXCEPTION):
            known = self._exception(offset)
        elif shape_of(self._subject.kinds, kind) == "ndarray":
            known = _NDARRAY.get(offset, "")
        return "." + known if known else ""

    def _in_frame(self, upper: Node, kind: Kind, offset: int) -> str:
        layout = self._layout
        if layout.heap_frames:
            if offset < layout.frame_locals:
                return "." + self._subject.kinds.members_of(kind).get(offset, "f_back" if offset == 24 else "")
            code = self._subject.pages.u64(upper.address + layout.frame_code)
            return self._variable(code, (offset - layout.frame_locals) // 8)
        if offset < kind.basic:
            return ".f_back" if offset == layout.header else ""
        frame = upper.address + kind.basic - layout.frame_locals
        code = self._subject.pages.u64(frame + layout.frame_code) & ~7
        return self._variable(code, (offset - kind.basic) // 8)

    def _variable(self, code: int, index: int) -> str:
        name = self._roots.variable(code, index)
        return " %s of %s" % (name, self._roots.qualified(code)) if name else ""

    def _function(self, offset: int) -> str:
        return (_FUNCTION if self._subject.minor >= 10 else _OLD_FUNCTION).get(offset, "")

    def _exception(self, offset: int) -> str:
        names = ["__dict__", "args"] + (["__notes__"] if self._subject.minor >= 11 else [])
        names += ["__traceback__", "__context__", "__cause__"]
        index = (offset - self._layout.header) // 8
        return names[index] if 0 <= index < len(names) else ""

    def _attribute(self, kind: Kind, index: int) -> str:
        return self._name_at(self._subject.pages.u64(kind.address + self._layout.type_keys), index)

    def _shift_of(self, table: Node) -> int:
        return self._subject.shift if table.pooled else self._subject.chunk_shift

    def _name_at(self, keys: int, index: int) -> str:
        first, step, place = self._climb.stale.entries(keys)
        return self._objects.text(self._subject.pages.u64(first + step * index + place), _LONGEST_KEY)

    def _of_table(self, table: Node, place: int, owner: Optional[Node], space: bool) -> str:
        kind = owner.kind if owner is not None else None
        if kind is None:
            return self._entry(table.start + 8 * self._shift_of(table), place, True) if table.root is not None else ""
        shape = shape_of(self._subject.kinds, kind)
        if shape == "dict":
            keys = self._subject.pages.u64(owner.address + self._layout.header + 16) if owner else 0
            if table.start <= keys < table.start + table.size:
                return self._entry(keys, place, space)
            # Values apart from their keys are an instance's attributes.
            values = self._subject.pages.u64(owner.address + self._layout.header + 24) if owner else 0
            return "." + self._name_at(keys, self._climb.stale.value_index(values, place))
        if shape in ("list", "deque"):
            return "[*]"
        if shape == "set":
            return "{*}"
        if kind.has(MANAGED_DICT) and self._subject.minor in (11, 12) and owner is not None:
            values = self._subject.pages.u64(owner.address - (32 if self._subject.minor == 11 else 24))
            return "." + self._attribute(kind, (place - values - (values & 1)) // 8)
        return ""

    def _entry(self, keys: int, place: int, space: bool) -> str:
        """Name a dict's entry: an attribute by its name, another by its key where keys are asked for."""
        pages = self._subject.pages
        first, step, offset = self._climb.stale.entries(keys)
        entry = first + (place - first) // step * step
        if place - entry == offset:
            return "{key}"
        if not space and not self._keys:
            return "[*]"
        key = pages.u64(entry + offset)
        name = self._objects.type_name(key)
        if name == "str":
            text = self._objects.text(key, _LONGEST_KEY)
            return "." + text if space else "[%r]" % masked(text)
        if name == "int":
            return "[%d]" % self._objects.integer(key)
        return "[%s]" % name


def masked(key: str) -> str:
    """Return a key without what looks like a secret."""
    text = _RANDOM.sub(MASK, mask_text(key))
    return _SECRET.sub(lambda match: match.group(1) + match.group(2) + MASK, text)


def _short(steps: List[str]) -> List[str]:
    """Put equal neighbours together."""
    result: List[str] = []
    counts: Dict[int, int] = {}
    for step in steps:
        if result and result[-1] == step:
            counts[len(result) - 1] = counts.get(len(result) - 1, 1) + 1
        else:
            result.append(step)
    result = ["%s x%d" % (step, counts[index]) if index in counts else step for index, step in enumerate(result)]
    if len(result) > _MOST_STEPS:
        left = len(result) - _FIRST_STEPS - _LAST_STEPS
        result[_FIRST_STEPS:-_LAST_STEPS] = [" … %d steps … " % left]
    return result
