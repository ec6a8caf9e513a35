"""Batches that Python's serialisation wrote, read without it: nothing is imported, called or executed.

It is a language for a stack machine that can call anything. Here a few of its instructions are known, those that
dictionaries, lists, numbers, text, bytes and numpy arrays of numbers are made of; the handful of functions that such
files name are looked up in a table of our own. Everything else is refused.

Source: the instructions are told in Python's Lib/pickletools.py; protocols 2 to 5.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

DTYPES = {"u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"}
PROTOCOLS = range(2, 6)
MARK = object()


class RefusedError(ValueError):
    """The bytes are no such batch, or hold an instruction that none has."""


@dataclass
class _DType:
    code: str
    order: str = "|"

    def build(self, state: Any) -> None:
        self.order = _word(state[1])

    @property
    def numpy(self) -> np.dtype[Any]:
        if self.code not in DTYPES or self.order not in "|<>=":
            raise RefusedError(f"an array of the type {self.code!r}")
        return np.dtype(self.order.replace("|", "=") + self.code)


@dataclass
class _Array:
    values: np.ndarray[Any, Any] | None = None

    def build(self, state: Any) -> None:
        _, shape, dtype, by_columns, content = state
        self.values = _array(content, dtype, shape, "F" if by_columns else "C")


@dataclass(frozen=True)
class _Name:
    """A function by its place in Python's modules."""

    module: str
    name: str


def _word(value: Any) -> str:
    if not isinstance(value, str | bytes):
        raise RefusedError("something else in the place of a word")
    return value.decode("ascii") if isinstance(value, bytes) else value


def _array(content: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray[Any, Any]:
    if not isinstance(content, bytes | bytearray) or not isinstance(dtype, _DType):
        raise RefusedError("an array that is not made of bytes")
    return np.frombuffer(content, dtype.numpy).reshape(shape, order="F" if order == "F" else "C")


def _new_array(*_: Any) -> _Array:
    return _Array()


def _array_of(content: Any, dtype: Any, shape: Any, order: Any) -> _Array:
    return _Array(_array(content, dtype, shape, order))


def _new_dtype(code: Any, *_: Any) -> _DType:
    return _DType(_word(code).lstrip("|<>="))


def _encoded(text: Any, encoding: Any) -> bytes:
    """Return bytes that protocol 2 of Python 3 keeps as text."""
    if _word(encoding) != "latin1":
        raise RefusedError(f"text in {encoding!r}")
    return _word(text).encode("latin-1")


CALLS: dict[_Name, Callable[..., Any]] = {
    _Name("numpy", "dtype"): _new_dtype,
    _Name("_codecs", "encode"): _encoded,
    _Name("numpy.core.multiarray", "_reconstruct"): _new_array,
    _Name("numpy._core.multiarray", "_reconstruct"): _new_array,
    _Name("numpy.core.numeric", "_frombuffer"): _array_of,
    _Name("numpy._core.numeric", "_frombuffer"): _array_of,
}
"""What such files call, by what they call it."""
ARGUMENTS = {_Name("numpy", "ndarray")}
"""What they name without calling it."""


class _Machine:
    """The stack, what was put aside, and the bytes."""

    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 0
        self.stack: list[Any] = []
        self.kept: dict[int, Any] = {}

    def run(self) -> Any:
        while (code := self.take(1)) != b".":
            STEPS.get(code, _refused(code))(self)
        return self.pop()

    def take(self, size: int) -> bytes:
        """Return the next so many bytes."""
        if size > len(self.content) - self.at:
            raise RefusedError("it ends too early")
        self.at += size
        return self.content[self.at - size : self.at]

    def number(self, form: str) -> int:
        """Return the next number, as `struct` calls its form."""
        value: int = struct.unpack("<" + form, self.take(struct.calcsize(form)))[0]
        return value

    def sized(self, form: str) -> bytes:
        """Return the bytes that a number tells the length of."""
        size = self.number(form)
        return self.take(size) if size >= 0 else self.take(len(self.content) + 1)

    def line(self) -> str:
        end = self.content.index(b"\n", self.at)
        line = self.take(end - self.at).decode("ascii")
        self.at += 1
        return line

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is MARK:
            raise RefusedError("a mark in the place of a value")
        return value

    def pop_to_mark(self) -> list[Any]:
        at = len(self.stack) - 1 - self.stack[::-1].index(MARK)
        values = self.stack[at + 1 :]
        del self.stack[at:]
        return values

    def keep(self, key: int) -> None:
        self.kept[key] = self.stack[-1]


def _refused(code: bytes) -> Callable[[_Machine], NoReturn]:
    def refuse(machine: _Machine) -> NoReturn:
        raise RefusedError(f"the instruction {code!r} at byte {machine.at - 1}")

    return refuse


def _start(machine: _Machine) -> None:
    if (protocol := machine.number("B")) not in PROTOCOLS:
        raise RefusedError(f"protocol {protocol}")


def _tuple(count: int) -> Callable[[_Machine], None]:
    def make(machine: _Machine) -> None:
        values = [machine.pop() for _ in range(count)]
        machine.push(tuple(reversed(values)))

    return make


def _append(machine: _Machine, values: list[Any]) -> None:
    if type(machine.stack[-1]) is not list:
        raise RefusedError("an append to what is no list")
    machine.stack[-1].extend(values)


def _set(machine: _Machine, values: list[Any]) -> None:
    if type(machine.stack[-1]) is not dict:
        raise RefusedError("an entry of what is no dictionary")
    for key, value in zip(values[::2], values[1::2], strict=True):
        if not isinstance(key, str | bytes):
            raise RefusedError("a key that is no text")
        machine.stack[-1][_word(key)] = value


def _name(machine: _Machine, module: Any, name: Any) -> None:
    found = _Name(_word(module), _word(name))
    if found not in CALLS and found not in ARGUMENTS:
        raise RefusedError(f"the name {found.module}.{found.name}"[:200])
    machine.push(found)


def _call(machine: _Machine) -> None:
    arguments, function = machine.pop(), machine.pop()
    if not isinstance(function, _Name) or function not in CALLS or type(arguments) is not tuple:
        raise RefusedError("a call of what is no function")
    machine.push(CALLS[function](*arguments))


def _build(machine: _Machine) -> None:
    state = machine.pop()
    if not isinstance(machine.stack[-1], _Array | _DType):
        raise RefusedError("a state of what has none")
    machine.stack[-1].build(state)


STEPS: dict[bytes, Callable[[_Machine], Any]] = {
    b"\x80": _start,
    b"\x95": lambda m: m.number("Q"),  # the length of a frame, of which nothing follows
    b"(": lambda m: m.push(MARK),
    b"}": lambda m: m.push({}),
    b"]": lambda m: m.push([]),
    b")": lambda m: m.push(()),
    b"t": lambda m: m.push(tuple(m.pop_to_mark())),
    b"\x85": _tuple(1),
    b"\x86": _tuple(2),
    b"\x87": _tuple(3),
    b"a": lambda m: _append(m, [m.pop()]),
    b"e": lambda m: _append(m, m.pop_to_mark()),
    b"s": lambda m: _set(m, [m.pop(), m.pop()][::-1]),
    b"u": lambda m: _set(m, m.pop_to_mark()),
    b"q": lambda m: m.keep(m.number("B")),
    b"r": lambda m: m.keep(m.number("I")),
    b"\x94": lambda m: m.keep(len(m.kept)),
    b"h": lambda m: m.push(m.kept[m.number("B")]),
    b"j": lambda m: m.push(m.kept[m.number("I")]),
    b"N": lambda m: m.push(None),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    b"K": lambda m: m.push(m.number("B")),
    b"M": lambda m: m.push(m.number("H")),
    b"J": lambda m: m.push(m.number("i")),
    b"\x8a": lambda m: m.push(int.from_bytes(m.sized("B"), "little", signed=True)),
    b"U": lambda m: m.push(m.sized("B")),
    b"T": lambda m: m.push(m.sized("i")),
    b"C": lambda m: m.push(m.sized("B")),
    b"B": lambda m: m.push(m.sized("I")),
    b"\x8e": lambda m: m.push(m.sized("Q")),
    b"\x96": lambda m: m.push(m.sized("Q")),
    b"X": lambda m: m.push(m.sized("I").decode("utf-8", "surrogatepass")),
    b"\x8c": lambda m: m.push(m.sized("B").decode("utf-8", "surrogatepass")),
    b"c": lambda m: _name(m, m.line(), m.line()),
    b"\x93": lambda m: _name(m, *[m.pop(), m.pop()][::-1]),
    b"R": _call,
    b"b": _build,
}
"""What each instruction does."""


def dictionary(content: bytes) -> dict[str, Any]:
    """Return the dictionary that was serialised: keys are text, arrays are numpy's, text may be bytes.

    Raises:
        RefusedError: it is none, or holds more than data.
    """
    try:
        found = _Machine(content).run()
    except RefusedError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, struct.error) as error:
        raise RefusedError(str(error)[:200]) from None
    if type(found) is not dict:
        raise RefusedError("it holds no dictionary")
    return {key: value.values if isinstance(value, _Array) else value for key, value in found.items()}
