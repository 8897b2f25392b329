"""What the agent's modules take from ``typing`` when they run: it serves nobody there, and costs a megabyte or five.

Type checkers, and tests that import the agent from its files, have the real one.
"""

from _collections import _tuplegetter

TYPE_CHECKING = False


class _Anything:
    """Stands for every type."""

    def __getitem__(self, _: object) -> "_Anything":
        return self

    def __call__(self, *_: object, **__: object) -> "_Anything":
        return self

    def __mro_entries__(self, _: tuple) -> tuple:
        return ()


_anything = _Anything()


def __getattr__(name: str) -> object:
    if name.startswith("__"):
        raise AttributeError(name)
    return _anything


class _Maker(type):
    """Makes named tuples of classes with fields."""

    def __new__(cls, name: str, bases: tuple, space: dict) -> type:
        if not bases:
            return type.__new__(cls, name, bases, space)
        fields = tuple(space.get("__annotations__", ()))
        defaults = {field: space.pop(field) for field in fields if field in space}
        made = eval(  # the names are those of the agent's own sources
            f"lambda _cls, {', '.join(fields)}: _new(_cls, ({', '.join(fields)},))", {"_new": tuple.__new__}
        )
        made.__defaults__ = tuple(defaults[field] for field in fields if field in defaults)
        made.__name__ = "__new__"
        own = {field: _tuplegetter(place, None) for place, field in enumerate(fields)}
        own.update(
            __slots__=(),
            __new__=made,
            _fields=fields,
            _replace=_replace,
            __repr__=_represent,
            __module__=space.get("__module__", ""),
        )
        own.update((key, value) for key, value in space.items() if key not in ("__annotations__", "__qualname__"))
        return type(name, (tuple,), own)


def _replace(self, **changes: object):
    return type(self)(*[changes.pop(field, value) for field, value in zip(self._fields, self)], **changes)


def _represent(self) -> str:
    return f"{type(self).__name__}({', '.join(f'{field}={value!r}' for field, value in zip(self._fields, self))})"


class NamedTuple(metaclass=_Maker):
    """A tuple whose items have names."""
