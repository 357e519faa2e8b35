# SPDX-License-Identifier: Apache-2.0
"""`preview-v1` once more, written from docs/preview.md alone, and the vectors that it makes.

    python -m tests.utils.preview_vectors --write    write tests/vectors/preview.json

It shares no code with the library but Keccak: what both say is in the page.
"""

import json
import random
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa

from truthmark.hashing import keccak256

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "preview.json"


def u(value: int, size: int) -> bytes:
    return value.to_bytes(size, "big")


def seed(chain: int, registry: str, manifest: bytes, word: bytes) -> bytes:
    return keccak256(b"tmk1/preview" + u(chain, 32) + bytes.fromhex(registry[2:]) + manifest + word)


def digests(i: int) -> tuple[bytes, bytes]:
    """Return what stands for the ciphertext's and the key's hash of shard i in the vectors."""
    return sha256(b"ciphertext %d" % i).digest(), sha256(b"key %d" % i).digest()


class Reference:
    """A container as the vectors describe it.

    Args:
        case: `payload` (bytes of a shard), `segments` (shards and rows of each, from 0 on; null
            where there is no segment 1; segment n has 100 + n decoded bytes), `files` (path,
            kind, offset, length, columns as hex).
    """

    def __init__(self, case: dict[str, Any]) -> None:
        self.payload = case["payload"]
        self.entries = case["files"]
        self.segments: dict[int, dict[str, int]] = {}
        shard = row = 0
        for number, pair in enumerate(case["segments"]):
            if pair is not None:
                self.segments[number] = {
                    "shard": shard,
                    "shards": pair[0],
                    "row": row,
                    "rows": pair[1],
                }
                shard += pair[0]
                row += pair[1]

    def name(self, number: int, columns: bytes) -> bytes:
        s = self.segments[number]
        pairs = b"".join(b"".join(digests(s["shard"] + i)) for i in range(s["shards"]))
        sizes = u(s["rows"], 4) + u(0 if number == 1 else 100 + number, 8)
        return sha256(sizes + sha256(columns).digest() + sha256(pairs).digest()).digest()

    def names(self) -> dict[int, bytes]:
        found = {}
        if 1 in self.segments:
            text = b"".join(
                e["path"].encode() + b"\0" + u(e["offset"], 8) + u(e["length"], 8)
                for e in self.entries
                if e["kind"] == "bytes"
            )
            found[1] = self.name(1, text)
        for entry in self.entries:
            if entry["kind"] == "table":
                for number in self.of_table(entry):
                    found[number] = self.name(number, bytes.fromhex(entry["columns"]))
        return found

    def of_table(self, entry: dict[str, Any]) -> list[int]:
        return [
            n
            for n, s in self.segments.items()
            if n >= 2 and entry["offset"] <= s["row"] < entry["offset"] + entry["length"]
        ]

    def shards_of_file(self, entry: dict[str, Any]) -> list[int]:
        first = self.segments[1]["shard"]
        low = entry["offset"] // self.payload
        high = (entry["offset"] + entry["length"] - 1) // self.payload
        return [first + i for i in range(low, high + 1)]

    def strata(self, taken: list[str]) -> list[dict[str, Any]]:
        left = set(taken)
        names = self.names()

        def new(number: int) -> bool:
            text = names[number].hex()
            if text in left:
                left.remove(text)
                return False
            return True

        drawn = []
        files = [e for e in self.entries if e["kind"] == "bytes" and e["length"]]
        files.sort(key=lambda e: e["offset"])
        if files and new(1):
            shards = sorted({i for e in files for i in self.shards_of_file(e)})
            if len(shards) >= 16:
                drawn.append({"name": "files", "shards": shards, "files": files})
        pool = []
        for entry in self.entries:
            if entry["kind"] == "table":
                mine = [n for n in self.of_table(entry) if new(n)]
                if len(mine) >= 16:
                    drawn.append({"name": entry["path"], "segments": mine})
                else:
                    pool += mine
        if len(pool) >= 16:
            drawn.append({"name": "small tables", "segments": pool})
        return drawn

    def sizes(self, stratum: dict[str, Any]) -> tuple[int, int, int]:
        if "shards" in stratum:
            return len(stratum["shards"]), len(stratum["shards"]), len(stratum["files"])
        segments = [self.segments[n] for n in stratum["segments"]]
        return len(segments), sum(s["shards"] for s in segments), sum(s["rows"] for s in segments)

    def draw(self, m: int, taken: list[str], word: bytes) -> dict[str, Any]:
        strata = self.strata(taken)
        sizes = [self.sizes(stratum) for stratum in strata]
        shards, rows = sum(s for _, s, _ in sizes), sum(r for _, _, r in sizes)
        found = []
        open_shards = set(range(self.segments[0]["shards"]))
        stands_for = m if strata else 0
        for k, (stratum, (n, s, r)) in enumerate(zip(strata, sizes, strict=True)):
            draws = min(n // 2, max(8, -(-m * s // shards), -(-m * r // rows)))
            picks = []
            for d in range(draws):
                number = int.from_bytes(keccak256(b"tmk1/draw" + word + u(k, 4) + u(d, 4)), "big")
                picked = self.pick(stratum, d, number % (r if d % 2 else s))
                open_shards |= set(picked)
                picks.append(picked)
            found.append({"name": stratum["name"], "units": n, "draws": draws, "picks": picks})
            stands_for = min(stands_for, draws * shards // s, draws * rows // r)
        return {"strata": found, "open": sorted(open_shards), "m": stands_for}

    def pick(self, stratum: dict[str, Any], d: int, u: int) -> list[int]:
        if "shards" in stratum:
            if d % 2:
                return self.shards_of_file(stratum["files"][u])[:64]
            shard = stratum["shards"][u]
            touching = [e for e in stratum["files"] if shard in self.shards_of_file(e)]
            opened = {i for e in touching for i in self.shards_of_file(e)[:64]}
            return sorted(opened | {shard})
        for n in stratum["segments"]:
            s = self.segments[n]
            size = s["rows"] if d % 2 else s["shards"]
            if u < size:
                return list(range(s["shard"], s["shard"] + s["shards"]))
            u -= size
        raise AssertionError


def bound(m: int, tries: int) -> float:
    return float(1 - (0.05 / tries) ** (2 / m))


def make_case(chance: random.Random, tables: list[int], files: int, m: int) -> dict[str, Any]:
    """Return a container by chance: segments of each table, files, draws."""
    payload, entries, segments, at = 4080, [], [[2, 0]], 0
    for i in range(files):
        length = chance.choice([0, 10, 900, 5_000, 70 * payload])
        entries.append({"path": f"f{i}", "kind": "bytes", "offset": at, "length": length})
        at += length + chance.choice([0, 0, 0, 2 * payload])
    segments.append([-(-at // payload), 0] if at else None)  # type: ignore[arg-type]
    row = 0
    for i, count in enumerate(tables):
        start = row
        for _ in range(count):
            segments.append([chance.choice([1, 1, 1, 3]), chance.choice([1, 7, 1000])])
            row += segments[-1][1]
        entry = {"path": f"t{i}", "kind": "table", "offset": start, "length": row - start}
        entries.append({**entry, "columns": f"{i:02x}" * 8})
    case: dict[str, Any] = {"payload": payload, "segments": segments, "files": entries, "m": m}
    names = list(Reference(case).names().values())
    case["taken"] = [name.hex() for name in chance.sample(names, len(names) // 5)]
    case["seed"] = chance.randbytes(32).hex()
    case["result"] = Reference(case).draw(m, case["taken"], bytes.fromhex(case["seed"]))
    return case


def columns(fields: list[Any]) -> bytes:
    """Return what the page says of fields, each a name, a type, whether it may be null, fields."""
    return b"".join(
        sha256(name.encode()).digest()
        + sha256(kind.encode()).digest()
        + bytes([nullable])
        + u(len(inner), 4)
        + columns(inner)
        for name, kind, nullable, inner in fields
    )


def make_schemas() -> list[dict[str, Any]]:
    """Return schemas with their fields, written by hand, and what the columns are."""
    pair = pa.struct([("a", pa.int32()), ("b", pa.int64())])
    pair_fields = [["a", "int32", True, []], ["b", "int64", True, []]]
    pair_text = "struct<a: int32, b: int64>"
    entries = [["key", "string", False, []], ["value", "int8", True, []]]
    map_fields = [["entries", "struct<key: string not null, value: int8>", False, entries]]
    ids = [["item", "fixed_size_binary[16]", True, []]]
    runs = [["run_ends", "int32", False, []], ["values", "bool", True, []]]
    cases: list[tuple[list[pa.Field], list[Any]]] = [
        (
            [pa.field("a", pa.int32()), pa.field("b", pa.int64(), False)],
            [["a", "int32", True, []], ["b", "int64", False, []]],
        ),
        ([pa.field("a\0int32\x001\0b", pa.int64())], [["a\0int32\x001\0b", "int64", True, []]]),
        ([pa.field("s", pair)], [["s", pair_text, True, pair_fields]]),
        (
            [pa.field("s", pa.struct([("a: int32, b", pa.int64())]))],
            [["s", pair_text, True, [["a: int32, b", "int64", True, []]]]],
        ),
        (
            [pa.field("d", pa.dictionary(pa.int8(), pair))],
            [["d", f"dictionary<values={pair_text}, indices=int8, ordered=0>", True, pair_fields]],
        ),
        (
            [pa.field("m", pa.map_(pa.string(), pa.int8()))],
            [["m", "map<string, int8>", True, map_fields]],
        ),
        (
            [pa.field("l", pa.list_(pa.uuid()))],
            [["l", "list<item: fixed_size_binary[16]>", True, ids]],
        ),
        (
            [pa.field("r", pa.run_end_encoded(pa.int32(), pa.bool_()))],
            [["r", "run_end_encoded<run_ends: int32, values: bool>", True, runs]],
        ),
    ]
    return [
        {
            "schema": pa.schema(schema).serialize().to_pybytes().hex(),
            "fields": fields,
            "columns": sha256(b"\1" + columns(fields)).hexdigest(),
        }
        for schema, fields in cases
    ]


def make_vectors() -> dict[str, Any]:
    """Return all vectors."""
    chance = random.Random(11)
    seeds = []
    for _ in range(3):
        registry, manifest, word = (chance.randbytes(n) for n in (20, 32, 32))
        chain = chance.choice([1, 10, 31337])
        seeds.append(
            {
                "chain_id": chain,
                "registry": "0x" + registry.hex(),
                "manifest": manifest.hex(),
                "word": word.hex(),
                "seed": seed(chain, "0x" + registry.hex(), manifest, word).hex(),
            }
        )
    shapes = [([40], 0, 16), ([15, 15, 3, 60], 30, 64), ([5], 80, 32), ([16, 130], 6, 128)]
    shapes += [([7, 8], 0, 16), ([200], 1, 512)]
    return {
        "about": "docs/preview.md; the hashes of ciphertext and key of shard i are the SHA-256 of "
        "the ASCII texts 'ciphertext i' and 'key i'; segments are [shards, rows], from 0 on, "
        "and segment n has 100 + n decoded bytes; columns, in hex, are what the columns of a table "
        "are; result.m is the m of the bounds; schemas are as in the files table",
        "seeds": seeds,
        "schemas": make_schemas(),
        "draws": [make_case(chance, *shape) for shape in shapes],
        "bounds": [
            {"m": m, "tries": tries, "share": bound(m, tries)}
            for m in (16, 32, 64, 128, 256, 512)
            for tries in (1, 100, 10_000)
        ],
    }


if __name__ == "__main__":
    text = json.dumps(make_vectors(), separators=(",", ":"), sort_keys=True) + "\n"
    if "--write" in sys.argv:
        VECTORS.write_text(text)
    elif VECTORS.read_text() != text:
        sys.exit(f"{VECTORS} is not what this makes; --write")
