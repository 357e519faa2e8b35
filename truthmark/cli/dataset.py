# SPDX-License-Identifier: Apache-2.0
"""`truthmark dataset`: pack and open without a chain; what `list` packs is packed here too."""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from truthmark import codec
from truthmark.cli import layout
from truthmark.cli.command import State, group, json_option, option_group, yes_option
from truthmark.cli.output import (
    echo,
    echo_json,
    info,
    print_fields,
    progress_bar,
    require_yes,
    width,
)
from truthmark.cli.param_types import FOLDER, NEW_FILE, SOURCE, Choice
from truthmark.codec.limits import is_packed
from truthmark.codec.sampling import MAX_DRAWS
from truthmark.errors import ConfigError, KeysError
from truthmark.keys.handing import read_handed_key
from truthmark.keys.vault import Vault
from truthmark.market.seller_secret import pack_dataset, seller_cek
from truthmark.text import clean, format_size, plural

if TYPE_CHECKING:
    from truthmark.codec.outlook import Outlook


_MAX_SAMPLES = 100
_MAX_CELL = 40
"""Characters of an example's value that are shown."""

format_option = click.option(
    "--format",
    "kind",
    type=Choice(("parquet", "arrow", "original")),
    help="Of tables; by default parquet, and arrow for tables that Parquet cannot hold.",
)


pack_options = option_group(
    click.option("--licence", help='Such as "CC-BY-4.0"; an SPDX expression.'),
    click.option("--title", help="Public; the name of the source if left out."),
    click.option("--description", default="", help="Public."),
    click.option(
        "--examples",
        type=click.IntRange(0, 100),
        default=0,
        show_default=True,
        help="First rows of each table to make public.",
    ),
    click.option(
        "--preview/--blind",
        default=True,
        help="Whether buyers see a sample that chance draws, before they pay.  "
        "[default: --preview]",
    ),
    click.option(
        "--draws",
        type=click.IntRange(1, MAX_DRAWS),
        help="Of the sample.  [default: a sixteenth of the parts, from 16 to 64]",
    ),
    click.option(
        "--hide-schema",
        is_flag=True,
        help="With --blind: keep the names of columns private.",
    ),
    click.option(
        "--hide-counts",
        is_flag=True,
        help="With --blind: keep the numbers of rows private.",
    ),
    click.option("--raw", is_flag=True, help="Pack table files byte for byte."),
    click.option("--follow-links", is_flag=True, help="Pack what links point to."),
    click.option("--hidden", is_flag=True, help="Pack hidden files too."),
    click.option(
        "--processes",
        type=click.IntRange(1, 64),
        default=1,
        show_default=True,
        help="Processors to use.",
    ),
)
"""How to pack; `pack_source` takes them."""


@group()
def dataset() -> None:
    """Pack and open data on this machine, without a chain."""


@dataset.command()
@click.argument("source", type=SOURCE)
@click.argument("folder", type=FOLDER)
@pack_options
@click.option(
    "--previous",
    type=FOLDER,
    help="Folder of the version before; what did not change is reused.",
)
@click.option("--purge", is_flag=True, help="With --previous: reuse nothing.")
@yes_option
@json_option
def pack(
    state: State,
    /,
    source: Path,
    folder: Path,
    previous: Path | None,
    purge: bool,
    yes: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Encrypt SOURCE, a file or folder, into the new FOLDER.

    CSV, Parquet, Arrow and JSON lines become tables, other files stay unchanged, a folder keeps
    its structure. Shows what becomes public before it writes anything. The key is kept in this
    home: make a backup with `truthmark wallet backup`.
    """
    vault = Vault(state.settings.home / "vault")
    packed = pack_source(source, folder, vault, options, yes=yes, previous=previous, purge=purge)
    if as_json:
        echo_json({**manifest_json(packed.manifest), "folder": str(packed.folder)})
        return
    info(f"packed into {packed.folder}; list it: `truthmark list {packed.folder} --price …`")


def pack_source(
    source: Path,
    folder: Path,
    vault: Vault,
    options: dict[str, Any],
    *,
    yes: bool,
    previous: Path | None = None,
    purge: bool = False,
    note: "Callable[[codec.Manifest], None] | None" = None,
) -> "codec.Packed":
    """Pack a source after its public part was agreed to.

    Args:
        source: a file or folder.
        folder: where to.
        vault: keeps the secret.
        options: those of `pack_options`.
        yes: whether it is agreed to already.
        previous: folder of the version before.
        purge: take nothing over from that.
        note: see `truthmark.market.seller_secret.pack_dataset`.

    Raises:
        ConfigError: An option cannot be used.
        CodecError: The source cannot be packed.
        MarketError: It was not agreed to; nothing was written.
    """
    require_licence(options["licence"])
    shown = contextlib.ExitStack()

    def review(card: dict[str, Any], manifest: "codec.Manifest", outlook: "Outlook | None") -> None:
        shown.close()  # a bar would run over the question
        if yes:
            for line in outlook.lines() if outlook is not None else ():
                info(f"public: {line}")
            return
        info("this becomes public, for ever and for everybody:")
        for line in card_lines(card, width(of_errors=True) - 2):
            click.echo(f"  {line}", err=True)
        click.echo(f"  size: {format_size(manifest.size)}, encrypted", err=True)
        for line in preview_lines(outlook, width(of_errors=True) - 2):
            click.echo(f"  {line}", err=True)
        require_yes("write it?", "nothing was written", yes=False)

    with shown:
        progress = shown.enter_context(progress_bar("packing"))
        packed = pack_dataset(
            source,
            folder,
            vault,
            licence=options["licence"],
            title=source.stem if options["title"] is None else options["title"],
            description=options["description"],
            card=codec.CardPolicy(
                schema=not options["hide_schema"],
                counts=not options["hide_counts"],
                examples=options["examples"],
            ),
            preview=options["preview"],
            draws=options["draws"],
            raw=options["raw"],
            follow_links=options["follow_links"],
            hidden=options["hidden"],
            processes=options["processes"],
            previous=previous,
            purge=purge,
            progress=progress,
            review=review,
            note=note,
        )
    if packed.skipped:
        more = " …" if len(packed.skipped) > 1 else ""
        info(
            f"{plural(len(packed.skipped), 'hidden file')} left out (--hidden packs them): "
            f"{clean(packed.skipped[0])}{more}"
        )
    for line in packed.notes:
        info(clean(line, 400))
    if packed.inherited:
        info(f"{packed.inherited} of {packed.count} parts are those of the version before")
    return packed


def require_licence(licence: str | None) -> None:
    """Refuse to pack what nobody may use.

    Raises:
        ConfigError: No licence was given.
    """
    if not licence:
        raise ConfigError('say what buyers may do, such as --licence "CC-BY-4.0"')


def preview_lines(outlook: "Outlook | None", width: int) -> list[str]:
    """Return what a sample will make public, or that there will be none."""
    if outlook is None:
        return layout.wrap(
            "no sample: no one but you will have seen any of this data before paying",
            width,
            "blind: ",
            "  ",
        )
    return [line for said in outlook.lines() for line in layout.wrap(said, width, "public: ", "  ")]


def card_lines(card: dict[str, Any], width: int) -> list[str]:
    """Return what a card says, safe to show."""
    pairs = [
        ("title", clean(card["title"]) or "(none)"),
        ("licence", clean(card["licence"])),
        ("description", clean(card["description"])),
    ]
    for entry in _entries(card.get("counts")):
        name = f"{clean(entry['split'])}: " if entry.get("split") else ""
        parts = [
            plural(entry[f"{noun}s"], noun)
            for noun in ("row", "table", "file")
            if isinstance(entry.get(f"{noun}s"), int) and entry[f"{noun}s"]
        ]
        pairs.append(("holds", name + ", ".join(parts)))
    tables = _entries(card.get("tables"))
    for entry in tables:
        columns = [f"{c.get('name')} ({c.get('type')})" for c in _entries(entry.get("columns"))]
        pairs.append(("columns", clean(", ".join(columns), 600)))
    lines = [
        line
        for name, value in pairs
        if value
        for line in layout.wrap(value, width, f"{name}: ", "  ")
    ]
    examples = card.get("examples")
    for number, rows in enumerate(examples if isinstance(examples, list) else ()):
        found = _entries(rows)[:_MAX_SAMPLES]
        if found:
            of = tables[number] if number < len(tables) else {}
            lines += ["first rows:", *_sample_lines(found, of, width)]
    return lines


def _sample_lines(rows: list[dict[str, Any]], table: dict[str, Any], width: int) -> Iterator[str]:
    """Lay example rows out in the order of the table's columns."""
    known = [str(column.get("name")) for column in _entries(table.get("columns"))]
    # A card is anyone's: what it shows of other columns comes behind.
    others = [name for row in rows for name in row if name not in known]
    names = [n for n in dict.fromkeys([*known, *others]) if any(n in row for row in rows)]
    cells = [[clean(_shown(row.get(name)), _MAX_CELL) for name in names] for row in rows]
    head = [clean(name, _MAX_CELL) for name in names]
    for line in layout.table_lines(cells, head, width - 2):
        yield f"  {line}"


def _shown(value: Any) -> str:
    """Return an example's value as people read it; what is missing is empty."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _entries(value: object) -> list[dict[str, Any]]:
    """Return the objects of what should be a list of them, from a card that others wrote."""
    return [e for e in value if isinstance(e, dict)] if isinstance(value, list) else []


@dataset.command()
@click.argument("folder", type=FOLDER)
@json_option
def inspect(folder: Path, as_json: bool) -> None:
    """Show what anyone can see of a packed FOLDER."""
    manifest = codec.read_manifest(require_packed(folder))
    card = codec.read_card((folder / "card.json").read_bytes())
    if as_json:
        echo_json({**manifest_json(manifest), "card": card})
        return
    for line in card_lines(card, width()):
        click.echo(line)
    print_fields(
        [
            ("size:", f"{format_size(manifest.size)} in {manifest.count} parts"),
            ("container:", manifest.container),
            ("manifest:", manifest.cid),
        ]
    )


@dataset.command()
@click.argument("folder", type=FOLDER)
@json_option
def verify(folder: Path, as_json: bool) -> None:
    """Check every byte of a packed FOLDER; needs no key."""
    with progress_bar("checking") as progress:
        report = codec.verify(require_packed(folder), progress=progress)
    if as_json:
        echo_json(
            {
                **manifest_json(report.manifest),
                "holds": report.holds,
                "bad_parts": list(report.bad_shards),
            }
        )
    report.require()
    if not as_json:
        echo(f"all {report.manifest.count} parts are as they were packed")


@dataset.command("open")
@click.argument("folder", type=FOLDER)
@click.argument("target", type=FOLDER)
@format_option
@click.option(
    "--key",
    "key_file",
    type=NEW_FILE,
    help="Of a buyer: what `truthmark keys export` wrote.",
)
@json_option
def open_packed(
    state: State, folder: Path, target: Path, kind: Any, key_file: Path | None, as_json: bool
) -> None:
    """Decrypt a packed FOLDER into the new folder TARGET.

    It is one of your own, or --key opens it. What you bought is opened by `truthmark get`.
    """
    manifest = codec.read_manifest(require_packed(folder))
    if key_file is None:
        cek = seller_cek(Vault(state.settings.home / "vault"), manifest.public_key)
    else:
        key = read_handed_key(key_file)
        if key.public_key != manifest.public_key:
            raise KeysError(
                f"{key_file} is the key of another data set ({clean(key.dataset)}); ask for that "
                f"of the one in {folder}"
            )
        cek = codec.cek_from_point(key.key_point)
    with codec.open_container(folder, cek=cek) as container, progress_bar("opening") as progress:
        notes: list[str] = []
        codec.extract(container, target, kind, progress=progress, note=notes.append)
        shown = files_json(container)
    for line in notes:
        info(clean(line, 400))
    if as_json:
        echo_json({"folder": str(target), "files": shown})
        return
    echo(str(target))


def require_packed(folder: Path) -> Path:
    """Return a packed folder, or say that it is none.

    Raises:
        ConfigError: It lacks a part.
    """
    if not is_packed(folder):
        raise ConfigError(
            f"{folder} is not a packed folder; make one with `truthmark dataset pack`"
        )
    return folder


def manifest_json(manifest: "codec.Manifest") -> dict[str, Any]:
    """Return the facts of a manifest as JSON values."""
    return {
        "manifest": str(manifest.cid),
        "container": str(manifest.container),
        "root": "0x" + manifest.root.hex(),
        "parts": manifest.count,
        "part_size": manifest.shard_size,
        "size": manifest.size,
        "licence": manifest.licence,
    }


def files_json(container: "codec.Container") -> list[dict[str, Any]]:
    """Return what an open container holds as JSON values."""
    return [
        {
            "path": file.path,
            "kind": file.kind,
            "split": file.split,
            "rows": file.rows,
            "size": file.size,
        }
        for file in container.files
    ]
