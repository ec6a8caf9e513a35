"""Random damage to files and folders: their bytes, what they hold, their names and kinds; and manifests that fit it."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import os
import random
import shutil
import struct
import tarfile
import tomllib
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from textgan import files

TELLING = [
    b"\0", b"\xff", b"\xff" * 8, b"\0" * 4, b"\n", b"\r", b"\r\n", b'"', b"\t", b",", b"{", b"[" * 3000, b"9" * 5000,
    b"\xef\xbb\xbf", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"\xed\xa0\x80", "\u2028\ufffd".encode(),
    b"NaN", b"1e999", b"-1", struct.pack("<q", -1), struct.pack("<q", 1 << 62), struct.pack("<i", 1 << 30),
]  # fmt: skip
"""What readers of some format heed."""
VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 2, 3, 7, 255, 256, 65_001, 1 << 20, 1 << 31, 1 << 53, 1 << 63, 1 << 64, -(1 << 63),
    10**30, 10**400, 0.5, -0.5, 1e-300, 1e300, float("nan"), float("inf"), -float("inf"), "", " ", "a", "\0", "\n",
    "\ud800", "\u202e<b>&", "x" * 3000, "../../out", "/etc/passwd", "a/b", "..", "nan", "text", "image", "toy", "paper",
    "layer", "argmax", "softmax", "cuda", "byte", "word", "piece", [], {}, [0], [1, 2], ["a", "a"], [None], {"a": 1},
    {"": None}, [[]], [1e300] * 3,
]  # fmt: skip
Rng = random.Random
LARGE = 1 << 24  # bytes of a file that one case made and is damaged no further


BROKEN = (
    ValueError, OSError, LookupError, EOFError, TypeError, AttributeError, RuntimeError, OverflowError, struct.error,
    zipfile.BadZipFile, tarfile.TarError, zlib.error,
)  # fmt: skip
"""What reading raises of what was damaged before."""


def damage(place: Path, rng: Rng) -> list[str]:
    """Damage a file, or files of a folder, in one to three ways, and return what was done."""
    done = [_damage_once(place, rng) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
    for manifest in sorted(place.rglob(files.MANIFEST)) if place.is_dir() else []:
        if rng.random() < 0.8:
            _seal(manifest)
        if rng.random() < 0.1 and manifest.is_file():
            manifest.write_bytes(changed(manifest.name, manifest.read_bytes(), rng))
            done.append("manifest")
    return done


def _seal(manifest: Path) -> None:
    """Write sizes and digests of what is there into a manifest; of what cannot be read, as of pipes, they stay."""
    if not manifest.is_file():
        return
    with suppress(OSError, ValueError, LookupError, TypeError, RecursionError):
        told = json.loads(manifest.read_bytes())
        for path in manifest.parent.iterdir():
            if path.name != files.MANIFEST and path.is_file() and not path.is_symlink():
                told["files"][path.name] = {"bytes": path.stat().st_size, "sha256": files.sha256(path)}
        manifest.write_text(json.dumps(told), encoding="utf-8")


def _damage_once(place: Path, rng: Rng) -> str:
    inside = sorted(path for path in place.rglob("*") if not path.is_dir()) if place.is_dir() else [place]
    path = rng.choice(inside) if inside else place
    if rng.random() < 0.12:
        how = rng.choice(ODD if path != place else ODD[:-1])  # who names a pipe waits for it
        with suppress(OSError):
            how(path, rng)
        return f"{path.relative_to(place.parent)} {how.__name__.strip('_')}"
    if not path.is_file() or path.is_symlink() or path.stat().st_size > LARGE:
        return "nothing"
    before = path.read_bytes()
    path.write_bytes(changed(path.name, before, rng))
    return f"{path.relative_to(place.parent)} changed"


def changed(name: str, content: bytes, rng: Rng) -> bytes:
    """Return other content for a file, by what its name says it is."""
    form = FORMS.get(name.rpartition(".")[2], FORMS.get(name, _bytes))
    if rng.random() < 0.25:
        form = _bytes
    try:
        return form(content, rng)
    except BROKEN:
        return _bytes(content, rng)


# --- bytes ----------------------------------------------------------------------------------------------------------


def _bytes(content: bytes, rng: Rng) -> bytes:
    for _ in range(rng.choice((1, 1, 2, 5, 40))):
        content = rng.choice(BYTES)(content, rng)
    return content


def _flip(content: bytes, rng: Rng) -> bytes:
    at = rng.randrange(len(content) + 1)
    return content[:at] + bytes(byte ^ 1 << rng.randrange(8) for byte in content[at : at + 1]) + content[at + 1 :]


def _cut(content: bytes, rng: Rng) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _drop(content: bytes, rng: Rng) -> bytes:
    at = rng.randrange(len(content) + 1)
    return content[:at] + content[at + rng.choice((1, 2, 8, 100, 5000)) :]


def _insert(content: bytes, rng: Rng) -> bytes:
    at = rng.choice((0, len(content), rng.randrange(len(content) + 1)))
    return content[:at] + rng.choice(TELLING) + content[at:]


def _overwrite(content: bytes, rng: Rng) -> bytes:
    at, new = rng.randrange(min(len(content), rng.choice((16, 200, 1 << 30))) + 1), rng.choice(TELLING)
    return content[:at] + new + content[at + len(new) :]


def _repeat(content: bytes, rng: Rng) -> bytes:
    start = rng.randrange(len(content) + 1)
    part = content[start : start + rng.choice((1, 16, 500))]
    return content[:start] + part * rng.choice((2, 9, 300)) + content[start:]


def _nothing(content: bytes, rng: Rng) -> bytes:
    return rng.choice((b"", b"\n", b"\0" * len(content), rng.randbytes(min(len(content), 5000))))


BYTES = (_flip, _flip, _cut, _drop, _insert, _insert, _overwrite, _overwrite, _repeat, _nothing)


# --- trees ----------------------------------------------------------------------------------------------------------


def _places(tree: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in inner:
        yield from _places(value, (*at, key))


def _tree(tree: Any, rng: Rng) -> Any:
    """Change one to four places of a tree."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        *above, last = rng.choice([at for at in _places(tree) if at] or [(None,)])
        if last is None:
            return rng.choice(VALUES)
        inner = tree
        for key in above:
            inner = inner[key]
        _change(inner, last, tree, rng)
    return tree


def _change(inner: Any, key: Any, tree: Any, rng: Rng) -> None:
    value, how = inner[key], rng.random()
    if how < 0.1:
        del inner[key]
    elif how < 0.2 and isinstance(inner, dict):
        inner[rng.choice((key + "s", "", "__class__", key.upper(), "x" * 500))] = inner.pop(key)
    elif how < 0.3 and isinstance(value, list):
        inner[key] = rng.choice((value * 2, value * 500, value[1:], value[::-1], [*value, rng.choice(VALUES)]))
    elif how < 0.5 and isinstance(value, int | float):
        inner[key] = rng.choice(
            (value + 1, value - 1, -value, value * 2, value * 10**6, value / 2, float(value), str(value), [value])
        )
    elif how < 0.5 and isinstance(value, str):
        inner[key] = rng.choice(
            (value[1:], value * 2, value[::-1], value + "\n", value.upper(), [value], "../" + value)
        )
    elif how < 0.6:
        inner[key] = nested(rng.choice((5, 200)), rng)
    elif how < 0.7:
        found = tree
        for step in rng.choice(list(_places(tree))):
            found = found[step]
        inner[key] = json.loads(json.dumps(found))
    else:
        inner[key] = rng.choice(VALUES)


def nested(depth: int, rng: Rng) -> Any:
    """Return lists in lists, or tables in tables."""
    tree: Any = 1
    for _ in range(depth):
        tree = [tree] if rng.random() < 0.5 else {"a": tree}
    return tree


def _json(content: bytes, rng: Rng) -> bytes:
    if rng.random() < 0.03:
        return rng.choice((b"[" * 200_000, b'{"a":' * 100_000, b'"' + b"x" * 10**6 + b'"', b"9" * 5000, b"1e400"))
    text = json.dumps(_tree(json.loads(content), rng), indent=2)
    if rng.random() < 0.05:  # a key that stands twice
        text = text.replace("{", '{"schema": 1, "schema": 2, ', 1)
    return text.encode()


def _jsonl(content: bytes, rng: Rng) -> bytes:
    lines = content.splitlines(keepends=True)
    at = rng.randrange(len(lines))
    lines[at] = (
        _bytes(lines[at], rng) if rng.random() < 0.3 else json.dumps(_tree(json.loads(lines[at]), rng)).encode() + b"\n"
    )
    return b"".join(lines)


def _toml(content: bytes, rng: Rng) -> bytes:
    tree = _tree({"": tomllib.loads(content.decode())}, rng)
    return "\n".join(
        toml(tree.get("") if isinstance(tree, dict) and isinstance(tree.get(""), dict) else {"x": tree})
    ).encode(errors="replace")


def toml(tree: Any) -> Iterator[str]:
    """Yield the lines of a tree in TOML; what cannot stand there is written as it can."""
    tables = {key: value for key, value in tree.items() if isinstance(value, dict)}
    yield from (f"{_literal(key)} = {_literal(value)}" for key, value in tree.items() if key not in tables)
    for key, table in tables.items():
        yield f"[{_literal(key)}]"
        yield from (f"{_literal(name)} = {_literal(value)}" for name, value in table.items())


def _literal(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_literal(key)} = {_literal(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value)


def _safetensors(content: bytes, rng: Rng) -> bytes:
    size = struct.unpack("<Q", content[:8])[0]
    head, tensors = content[8 : 8 + size], content[8 + size :]
    if rng.random() < 0.3:  # values: not a number, infinite, large
        at = rng.randrange(max(1, len(tensors) // 4)) * 4
        value = rng.choice((float("nan"), float("inf"), 1e38, -1e38, 0.0))
        return content[: 8 + size] + tensors[:at] + struct.pack("<f", value) + tensors[at + 4 :]
    told = json.loads(head)
    told = _tensors(told, rng) if rng.random() < 0.6 else _tree(told, rng)
    head = json.dumps(told).encode()
    head += b" " * (-len(head) % 8)
    return struct.pack("<Q", len(head)) + head + tensors + b"\0" * rng.choice((0, 0, 0, 8))


def _tensors(told: Any, rng: Rng) -> Any:
    """Another type, shape, place or name of one tensor, that may still fit the bytes."""
    name, other = rng.choice(sorted(told)), rng.choice(sorted(told))
    of = told[name]
    how = rng.randrange(6)
    if how == 0:
        of["dtype"] = rng.choice(("F64", "F16", "BF16", "I64", "I32", "U8", "BOOL", "F8_E4M3", "C64"))
    elif how == 1:
        of["shape"] = rng.choice((of["shape"][::-1], [1, *of["shape"]], [*of["shape"], 0], [], [1 << 62, 4], [0]))
    elif how == 2:
        told[name], told[other] = told[other], told[name]
    elif how == 3:
        told["other." + name] = told.pop(name)
    elif how == 4:
        of["data_offsets"] = told[other]["data_offsets"]
    else:
        of["dtype"], of["shape"] = rng.choice(
            (("F16", [*of["shape"], 2]), ("I32", of["shape"]), ("U8", [*of["shape"], 4]))
        )
    return told


# --- archives -------------------------------------------------------------------------------------------------------


def _zip(content: bytes, rng: Rng) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        names = old.namelist()
        chosen = rng.choice(names)
        for name in names:
            inner = old.read(name)
            if name == chosen:
                name, inner = (_name(name, rng), inner) if rng.random() < 0.2 else (name, changed(name, inner, rng))
            new.writestr(name.replace("\0", ""), inner)
    return out.getvalue()


def _name(name: str, rng: Rng) -> str:
    return rng.choice(
        ("../" + name, "/" + name, "a/" * 300 + name, "", ".", name + "\x01", "C:\\" + name, "x" * 90, "é" + name)
    )


def _tar(content: bytes, rng: Rng) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(content)) as old, tarfile.open(fileobj=out, mode="w") as new:
        entries = old.getmembers()
        chosen = rng.choice(entries)
        for entry in entries:
            inner = old.extractfile(entry).read() if entry.isfile() else b""  # type: ignore[union-attr]
            if entry is chosen:
                how = rng.random()
                entry.name = _name(entry.name, rng) if how < 0.2 else entry.name
                entry.type = rng.choice(b"0123456789gxLKS").to_bytes() if 0.2 < how < 0.3 else entry.type
                entry.linkname = rng.choice(("/etc/passwd", entry.name, "..")) if 0.2 < how < 0.3 else ""
                entry.pax_headers = {"size": "-5", "path": "../x"} if 0.3 < how < 0.35 else {}
                inner = changed(entry.name, inner, rng) if how > 0.35 else inner
            entry.size = len(inner)
            new.addfile(entry, io.BytesIO(inner))
    return out.getvalue()


def _tar_gz(content: bytes, rng: Rng) -> bytes:
    return gzip.compress(rng.choice((_tar, _bytes))(gzip.decompress(content), rng), mtime=0)


def _gz(content: bytes, rng: Rng) -> bytes:
    inner = gzip.decompress(content)
    if inner[257:262] == b"ustar":
        return _tar_gz(content, rng)
    inner = _bytes(inner, rng)
    return rng.choice(
        (gzip.compress(inner, mtime=0), gzip.compress(gzip.compress(inner, mtime=0), mtime=0), bz2.compress(inner))
    )


def _npy(content: bytes, rng: Rng) -> bytes:
    size = struct.unpack("<H", content[8:10])[0]
    head, values = content[10 : 10 + size].decode("latin-1"), content[10 + size :]
    wanted, new = rng.choice((
        ("|u1", "|O"), ("|u1", "<f8"), ("|u1", "<U9"), ("<i8", "|O"), ("<i8", "<f4"), ("<i8", "<M8[s]"),
        ("False", "True"), ("(", "(0, "), ("(", "(-1, "), ("(", f"({10**12}, "), ("8", "9"), ("3", "4"), ("3", "1"),
        ("descr", "desc"), ("{", "{'a': 1, "),
    ))  # fmt: skip
    told = head.replace(wanted, new, 1).encode("latin-1")
    return content[:8] + struct.pack("<H", len(told)) + told + values


FORMS: dict[str, Callable[[bytes, Rng], bytes]] = {
    "json": _json, "jsonl": _jsonl, "toml": _toml, "safetensors": _safetensors,
    "zip": _zip, "npz": _zip, "tar": _tar, "gz": _gz, "npy": _npy,
}  # fmt: skip


# --- names and kinds of files ---------------------------------------------------------------------------------------


def _gone(path: Path, rng: Rng) -> None:
    path.unlink()


def _renamed(path: Path, rng: Rng) -> None:
    path.rename(
        path.with_name(
            rng.choice((path.name.upper() + "X", "x" + path.name, path.stem, path.name + ".gz", "step-00000x"))
        )
    )


def _folder(path: Path, rng: Rng) -> None:
    path.unlink()
    path.mkdir()


def _empty(path: Path, rng: Rng) -> None:
    path.write_bytes(b"")


def _link(path: Path, rng: Rng) -> None:
    path.unlink()
    path.symlink_to(rng.choice(("/etc/passwd", path.name, "nowhere", "..", "/dev/zero", "/proc/self/mem")))


def _pipe(path: Path, rng: Rng) -> None:
    path.unlink()
    os.mkfifo(path)


def _locked(path: Path, rng: Rng) -> None:
    path.chmod(0)  # which root reads all the same


def _twice(path: Path, rng: Rng) -> None:
    shutil.copy(path, path.with_name(rng.choice(("copy-" + path.name, path.name + ".1", ".x.tmp", "step-000099"))))


def _large(path: Path, rng: Rng) -> None:
    os.truncate(path, 1 << 29)  # with a hole


ODD = (_gone, _renamed, _folder, _empty, _link, _locked, _twice, _large, _pipe)
