# SPDX-License-Identifier: Apache-2.0
"""What readers must take and what they must refuse, as the page lists it."""

PATHS = {
    "accepted": [
        "b", ".hidden", "a b", "-rf", "README.md", "a/b.png", "x" * 240, "日本語/写真.jpg",
        "console", "a.con", "com", "com10.txt", "com\u0663",
    ],
    "refused": [
        "", "/a", "a/", "a//b", ".", "../a", "a/../b", "a\\b", "C:x", "a?b", "a\nb", "a\x85b",
        " a", "a ", "a.", "x" * 241, "é" * 121, "/".join("a" * 33), "/".join(["x" * 240] * 5),
        "a\u200bb", "\u202ea", "con", "CON.txt", "nul .tar.gz", "Lpt9", "com²", "cloc\u212a$",
        "con\u00a0.txt", "nul\u3000", "aux\u2009.tar.gz",
    ],
    "refused_together": [
        ["a", "A"], ["straße", "STRASSE"], ["é", "e\u0301"], ["a", "a/b"], ["A/b", "a"],
    ],
}  # fmt: skip
# Each pair is replaced in the first manifest, and what comes out must be refused.
REFUSED_MANIFESTS = [
    ['"count":3', '"count":0'],
    ['"count":3', '"count":3.0'],
    ['"count":3', '"count": 3'],
    ['"count":3', '"count":3,"count":3'],
    ['"format":"tmk1"', '"format":"tmk2"'],
    ['"shard_size":4096', '"shard_size":4097'],
    ['"shard_size":4096', '"shard_size":2048'],
    ['"licence":"CC0-1.0"', '"licence":""'],
    ['"licence":"CC0-1.0"', '"licence":"CC0\\n"'],
    ['"licence":"CC0-1.0",', ""],
    ['"provenance":null', '"provenance":[]'],
    ['"provenance":null', '"provenance":' + '{"a":' * 64 + "1" + "}" * 64],
    ['"provenance":null', '"provenance":null,"q":1'],
    ['"index":"b', '"index":"B'],
    ['"root":"0x8b', '"root":"0x8B'],
    ['"root":"0x', '"root":"'],
    ['"x":"0x75', '"x":"0x76'],
]
# segment, first_row, rows, decoded_bytes of each shard.
INDEXES = {
    "accepted": [
        [[0, 0, 0, 900]],
        [[0, 0, 0, 900], [1, 0, 0, 4080]],
        [[0, 0, 0, 900], [0, 0, 0, 0], [2, 0, 3, 264]],
        [[0, 0, 0, 900], [1, 0, 0, 8160], [1, 0, 0, 0], [2, 0, 3, 264], [3, 3, 5, 264]],
        [[0, 0, 0, 900], [2, 0, 3, 264], *[[2, 0, 0, 0]] * 63],
    ],
    "refused": [
        [[1, 0, 0, 4080]],
        [[0, 0, 0, 900], [3, 0, 3, 264]],
        [[0, 0, 0, 900], [2, 0, 3, 264], [4, 3, 5, 264]],
        [[0, 0, 0, 900], [2, 0, 3, 264], [1, 0, 0, 4080]],
        [[0, 0, 0, 900], [2, 0, 3, 264], [3, 3, 5, 264], [2, 0, 0, 0]],
        [[0, 0, 1, 900]],
        [[0, 0, 0, 900], [1, 0, 1, 4080]],
        [[0, 0, 0, 900], [2, 0, 0, 264]],
        [[0, 0, 0, 900], [2, 1, 3, 264]],
        [[0, 0, 0, 900], [2, 0, 3, 264], [3, 4, 5, 264]],
        [[0, 0, 0, 900], [2, 0, 3, 264], [2, 0, 1, 0]],
        [[0, 0, 0, 900], [2, 0, 3, 264], [2, 0, 0, 1]],
        [[0, 0, 0, 900], [2, 0, 3, 264], [2, 1, 0, 0]],
        [[0, 0, 0, 900], [2, 0, 3, 264], *[[2, 0, 0, 0]] * 64],
    ],
}
# Each pair is replaced in `segment_in_frames`, and what comes out must be refused.
REFUSED_SEGMENTS = [
    ["0x1d010000", "0x00000000"],
    ["0x1d010000", "0x1c010000"],
    ["0x1d010000", "0x1e010000"],
    ["0x1d010000", "0xfeffffff"],
    ["28b52ffd2064", "502a4d186c000000"],
    ["28b52ffd2064", "27b52ffd2064"],
    ["28b52ffd2064", "28b52ffd2164"],
    ["28b52ffd2064", "28b52ffd2864"],
    ["28b52ffd2064", "28b52ffd0064"],
    ["28b52ffd2064", "28b52ffd2065"],
    ["28b52ffd2064", "28b52ffd2464"],
    ["28b52ffda0a4000000", "28b52ffda0a5000000"],
    ["28b52ffda0a4000000", "28b52ffda0a3000000"],
    ["23000000", "22000000"],
    ["23000000", "2b000000"],
]
_FILE = ["a.txt", "bytes", None, 0, 10, None]
_TABLE = ["t.parquet", "table", "train", 0, 3, "S"]
# path, kind, split, offset, length, schema; of a container with 4,080 bytes of stream and 3 rows.
# "S" stands for the schema message of the first version's table.
FILES_TABLES = {
    "accepted": [
        [_FILE, _TABLE],
        [_TABLE],
        [["a.txt", "bytes", None, 4070, 10, None], _TABLE],
        [_FILE, ["b.txt", "bytes", "test", 10, 0, None], _TABLE],
        [["a", "table", None, 0, 0, "S"], ["b", "table", None, 0, 3, "S"]],
    ],
    "refused": [
        [["../a", "bytes", None, 0, 10, None], _TABLE],
        [["a.txt", "link", None, 0, 10, None], _TABLE],
        [["a.txt", "bytes", ".train", 0, 10, None], _TABLE],
        [["a.txt", "bytes", None, 0, 10, "S"], _TABLE],
        [["t.parquet", "table", None, 0, 3, None]],
        [["t.parquet", "table", None, 0, 3, "SS"]],
        [["a.txt", "bytes", None, 4071, 10, None], _TABLE],
        [_FILE, ["b.txt", "bytes", None, 9, 10, None], _TABLE],
        [_FILE, ["b.txt", "bytes", None, 5, 0, None], _TABLE],
        [_FILE, ["A.txt", "bytes", None, 10, 10, None], _TABLE],
        [_FILE, ["a.txt/b", "bytes", None, 10, 10, None], _TABLE],
        [["t.parquet", "table", None, 1, 3, "S"]],
        [["t.parquet", "table", None, 0, 2, "S"]],
        [["a", "table", None, 0, 2, "S"], ["b", "table", None, 1, 2, "S"]],
        [_FILE],
        [[None, "bytes", None, 0, 10, None], _TABLE],
    ],
}
