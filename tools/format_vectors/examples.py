# SPDX-License-Identifier: Apache-2.0
"""The data sets of the page, each a small program's."""

import pyarrow as pa
from spec import S
from version import Version, files_table, frame, in_frames, messages

NUMBERS = pa.schema(
    [("number", pa.int32()), pa.field("word", pa.dictionary(pa.int8(), pa.string()))]
)


def make_card(title, splits):
    """Return a card without counts, tables and examples."""
    return {
        "description": "",
        "extra": {},
        "format": "tmk1-card",
        "licence": "CC0-1.0",
        "splits": splits,
        "title": title,
    }


def example():
    """Return the two versions: a file and a table, then one more file."""
    first, second = b"Hello, buyer.\n", b"One more file.\n"
    batch = pa.record_batch(
        [pa.array([1, 2, 3], pa.int32()), pa.array(["cat", None, "dog"])], names=["item", "label"]
    )
    stream, cut = messages(batch)
    schema, segment = stream[:cut], stream[cut:]
    one = Version(0x1111)
    table = ("train.parquet", "table", "train", 0, 3, schema)
    files = files_table([("hello.txt", "bytes", None, 0, len(first), None), table])
    one.seal(files, (0, 0, 0, len(files)))
    one.seal(first, (1, 0, 0, S - 16))
    one.seal(segment, (2, 0, 3, len(segment)))
    card = make_card("Example", ["train"])
    one.finish(card)
    two = Version(0x2222)
    more = ("more.txt", "bytes", None, S - 16, len(second), None)
    files = files_table([("hello.txt", "bytes", None, 0, len(first), None), more, table])
    two.seal(files, (0, 0, 0, len(files)))
    two.inherit(one.shards[1], (1, 0, 0, 2 * (S - 16)))
    two.seal(second, (1, 0, 0, 0))
    two.inherit(one.shards[2], (2, 0, 3, len(segment)))
    two.finish(card)
    return one, two


def number(row):
    """Return the row of the other dataset's table."""
    words = ("red", "green", "blue", None) if row < 1200 else ("blue", "black", None)
    return row * row * 40503 % 2**31, words[row % len(words)]


def number_batch(start, stop):
    """Return rows of the other dataset's table."""
    numbers, words = zip(*(number(row) for row in range(start, stop)), strict=True)
    columns = [pa.array(numbers, pa.int32()), pa.array(words).dictionary_encode()]
    dictionary = columns[1].dictionary
    indices = columns[1].indices.cast(pa.int8())
    columns[1] = pa.DictionaryArray.from_arrays(indices, dictionary)
    return pa.record_batch(columns, schema=NUMBERS)


def other_example():
    """Return a dataset without byte stream: an empty file and a table of two segments."""
    made = Version(0x3333)
    parts = [number_batch(0, 700), number_batch(700, 1200)], [number_batch(1200, 1800)]
    schema = NUMBERS.serialize().to_pybytes()
    entries = [("empty.txt", "bytes", None, 0, 0, None)]
    entries.append(("numbers.arrow", "table", None, 0, 1800, schema))
    made.seal_segment(0, 0, 0, files_table(entries, "zstd"), len(files_table(entries, None)))
    plain, cut = messages(*parts[0])
    made.seal_segment(2, 0, 1200, plain[cut:], len(plain) - cut)
    plain, cut = messages(*parts[1])
    made.seal_segment(
        3, 1200, 600, messages(*parts[1], compression="zstd")[0][cut:], len(plain) - cut
    )
    made.finish(make_card("Other", []))
    return made


def grown_word(row):
    """Return the row of the grown dictionaries' table."""
    return None if row % 7 == 6 else f"word {row * 31 % (20 if row < 100 else 40)}"


def grown_example():
    """Return a table whose dictionaries grow by deltas, or are replaced, within a segment."""
    made = Version(0x4444)

    def batch(words, start, stop):
        known = {word: i for i, word in enumerate(words)}
        indices = pa.array([known.get(grown_word(row)) for row in range(start, stop)], pa.int16())
        column = pa.DictionaryArray.from_arrays(indices, pa.array(words))
        return pa.record_batch([column], names=["word"])

    few, more = ([f"word {i}" for i in range(size)] for size in (20, 40))
    grown = batch(few, 0, 100), batch(more, 100, 250)
    replaced = batch(more, 250, 300), batch(more[::-1], 300, 400)
    schema = grown[0].schema.serialize().to_pybytes()
    entries = [("grown.arrow", "table", None, 0, 400, schema)]
    made.seal_segment(0, 0, 0, files_table(entries, "lz4"), len(files_table(entries, None)))
    for number, first_row, rows, batches, deltas in (
        (2, 0, 250, grown, True),
        (3, 250, 150, replaced, False),
    ):
        plain, cut = messages(*batches, deltas=deltas)
        stored, _ = messages(*batches, deltas=deltas, compression="lz4")
        made.seal_segment(number, first_row, rows, stored[cut:], len(plain) - cut)
    made.finish(make_card("Grown", []))
    return made


def framed_example():
    """Return a table of three segments: in frames of zstd, in frames by hand, and as messages."""
    made = Version(0x5555)
    parts = [number_batch(start, start + 200) for start in (0, 200, 400)]
    schema = NUMBERS.serialize().to_pybytes()
    files = files_table([("framed.arrow", "table", None, 0, 600, schema)])
    made.seal(files, (0, 0, 0, len(files)))
    first, second, third = (messages(part)[0][len(schema) :] for part in parts)
    codec = pa.Codec("zstd")
    zstd = [codec.compress(piece, asbytes=True) for piece in (first[:900], first[900:])]
    by_hand = frame(second[:500]), frame(b""), frame(second[500:-4], 4)
    stored = in_frames(*zstd), in_frames(*by_hand), third
    for k, (plain, segment) in enumerate(zip((first, second, third), stored, strict=True)):
        made.seal_segment(2 + k, 200 * k, 200, segment, len(plain))
    made.finish(make_card("Framed", []))
    return made
