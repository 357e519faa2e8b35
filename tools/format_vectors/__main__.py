# SPDX-License-Identifier: Apache-2.0
"""Makes the test vectors of docs/format.md; shares no code with the package, on purpose.

    python tools/format_vectors                  print the vectors as JSON
    python tools/format_vectors --check PAGE     compare them with the ones in a page
    python tools/format_vectors --write FOLDER   write the example containers too

Curve, Keccak, tree, CIDs and canonical JSON are written here from their specifications, as
plainly as possible; only AES, SHA-256 and Arrow come from elsewhere. Standard library,
`cryptography` and `pyarrow` are all it needs.
"""

import json
import sys
from pathlib import Path

from cases import FILES_TABLES, INDEXES, PATHS, REFUSED_MANIFESTS, REFUSED_SEGMENTS
from examples import example, framed_example, grown_example, grown_word, number, other_example
from spec import S, bytes_cid, file_cid, hexed, keccak256, leaf, node, sha, tree_root, u256
from version import frame, in_frames


def vectors(one, two, other, grown, framed):
    """Return everything that the page shows."""
    leaves = [keccak256(b"\x01" + bytes([i])) for i in range(9)]
    digest = sha(b"leaf")
    return {
        "keccak256_of_nothing": hexed(keccak256(b"")),
        "tree_roots": {
            str(count): hexed(tree_root(leaves[:count])) for count in (1, 2, 3, 4, 5, 8, 9)
        },
        "cids": {
            "of_bytes": {
                "0": bytes_cid(b""),
                "10": bytes_cid(bytes(10)),
                "1048576": bytes_cid(bytes(2**20)),
                "1048577": bytes_cid(bytes(2**20 + 1)),
                "5242880": bytes_cid(bytes(5 * 2**20)),
            },
            "of_leaves": {
                str(count): file_cid([(digest, S)] * count) for count in (1, 2, 1024, 1025, 2049)
            },
            "node_of_2_leaves": hexed(node([leaf(digest, S)] * 2)),
        },
        "paths": PATHS,
        "refused_manifests": REFUSED_MANIFESTS,
        "index_rows": INDEXES,
        "files_tables": FILES_TABLES,
        "segment_in_frames": hexed(segment_in_frames(one)),
        "refused_segments": REFUSED_SEGMENTS,
        "first_version": one.vectors(),
        "second_version": two.vectors(),
        "other_dataset": {
            "secret": hexed(u256(other.s)),
            "cek": hexed(other.cek),
            "index_rows": [shard["row"] for shard in other.shards],
            "table_rows": {row: number(row) for row in (0, 1, 1199, 1200, 1799)},
            **other.public_vectors(),
        },
        "grown_dictionaries": {
            "secret": hexed(u256(grown.s)),
            "cek": hexed(grown.cek),
            "index_rows": [shard["row"] for shard in grown.shards],
            "table_rows": {row: grown_word(row) for row in (0, 6, 99, 100, 120, 249, 250, 399)},
            **grown.public_vectors(),
        },
        "in_frames": {
            "secret": hexed(u256(framed.s)),
            "cek": hexed(framed.cek),
            "index_rows": [shard["row"] for shard in framed.shards],
            "table_rows": {row: number(row) for row in (0, 199, 200, 399, 400, 599)},
            **framed.public_vectors(),
        },
    }


def segment_in_frames(one):
    """Return the segment of the first version's table in two frames."""
    messages = one.shards[2]["payload"][: one.shards[2]["row"][3]]
    return in_frames(frame(messages[:100]), frame(messages[100:-4], 4))


def main(arguments):
    """Print, check or write."""
    one, two = example()
    other, grown, framed = other_example(), grown_example(), framed_example()
    found = json.dumps(vectors(one, two, other, grown, framed), indent=1)
    if arguments[:1] == ["--check"]:
        page = Path(arguments[1]).read_text()
        if found not in page:
            raise SystemExit(f"{arguments[1]} does not hold these vectors; paste them again")
    elif arguments[:1] == ["--write"]:
        one.write(Path(arguments[1], "first"))
        two.write(Path(arguments[1], "second"))
        other.write(Path(arguments[1], "other"))
        grown.write(Path(arguments[1], "grown"))
        framed.write(Path(arguments[1], "framed"))
        print(found)
    else:
        print(found)


if __name__ == "__main__":
    main(sys.argv[1:])
