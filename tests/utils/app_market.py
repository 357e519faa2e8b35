# SPDX-License-Identifier: Apache-2.0
"""A real market to show in the app: real data, listed on a local network by its roles."""

import importlib.util
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import pandas as pd

from app.services.texts import PAGE_SIZE
from tests.utils import injections
from tests.utils.containers import Draft, Part, forge
from tests.utils.previews import Made, make
from truthmark.codec import CardPolicy
from truthmark.keys.curve import random_scalar
from truthmark.market.entries import Version
from truthmark.market.publishing import Publisher
from truthmark.market.seller_secret import pack_dataset, seller_cek
from truthmark.market.surface import list_dataset
from truthmark.market.verdicts import plan_publish
from truthmark.testing.network import Devnet
from truthmark.testing.role_market import RoleMarket

ROOT = Path(__file__).resolve().parents[2]
_TITLE = 186

MARKED = (
    "<script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "![pixel](http://evil.example/x.png) [click](javascript:alert(1))",
    "**bold** _it_ `code` # h :red[red] :material/verified: :smile: $x^2$ www.evil.example a@b.io",
    "\x1b[31mred\x07 \u202egnp.exe\u2066 \u200bhidden\x00end",
    "</div></body><iframe src='http://evil.example'></iframe> &lt;b&gt; {{7*7}} ${7*7} ~~~~ <!--",
)
"""Texts that mean something to what draws a page of Streamlit."""

HOSTILE = (*MARKED, *injections.HOSTILE)


def hostile_titles() -> list[list[str]]:
    """Return hostile texts, as many together as fit a title, for a page of listings."""
    groups: list[list[str]] = [[] for _ in range(PAGE_SIZE)]
    for text in sorted(HOSTILE, key=len):
        for group in groups:
            if len(" ".join([*group, text])) <= _TITLE:
                group.append(text)
                break
    assert sum(map(len, groups)) >= 40
    return groups


def hostile_title(texts: Sequence[str], number: int) -> str:
    """Return the title of what `sell_hostile` lists."""
    return f"hostile-{number:02} {' '.join(texts)}"[:200]


class AppMarket(RoleMarket):
    """Who sells, keeps and delivers on a network, step by step as a test says.

    Args:
        net: A running network.
    """

    def __init__(self, net: Devnet) -> None:
        super().__init__(net)
        self.net: Devnet = net
        self.sources = net.folder / "sources"
        self.sources.mkdir(exist_ok=True)
        self.versions: dict[str, Version] = {}
        self._packs = 0

    def sell(
        self,
        source: Any,
        *,
        title: str,
        price: str,
        description: str = "",
        licence: str = "CC-BY-4.0",
        examples: int = 0,
        custodians: int | Sequence[str] = 0,
        role: str = "seller",
        **terms: Any,
    ) -> Version:
        """Pack and list; custodians have yet to `accept`."""
        seller = self.session(role)
        self._packs += 1
        folder = self.net.folder / f"pack-{self._packs}"
        pack_dataset(
            source,
            folder,
            seller.vault,
            title=title,
            description=description,
            licence=licence,
            preview=False,
            card=CardPolicy(examples=examples),
        )
        options = {"windows": "demo", "period": "30d", **terms}
        return list_dataset(folder, price=price, custodians=custodians, session=seller, **options)

    def sell_hostile(self, texts: Sequence[str], number: int) -> Version:
        """List data whose every text is hostile; another packer asks SPDX about no licence."""
        with mock.patch("truthmark.codec.packer.spdx", lambda licence: licence):
            return self.sell(
                pd.DataFrame({**{text: [text, text * 40] for text in texts}, "n": [1, 2]}),
                title=hostile_title(texts, number),
                description="\n\n".join([*texts, *(text * 4 for text in texts)]),
                price="1 TUSD",
                licence="LicenseRef-<b>**bold**</b>:smile:",
                examples=2,
            )

    def sell_forged(self, how: str, **terms: Any) -> Version:
        """List what a copycat made by hand: `random bytes`, `no table`, or `all right`."""
        copycat = self.session("copycat")
        parts = Draft().parts()
        if how == "no table":
            parts[-1] = Part(2, b"no table of Arrow", rows=3)
        key = copycat.vault.put_seller_secret(random_scalar())
        self._packs += 1
        made = forge(
            parts,
            cek=seller_cek(copycat.vault, key),
            public_key=key,
            random={len(parts) - 1} if how == "random bytes" else set(),
            card={"title": f"Forged: {how}"},
        )
        folder = made.write(self.net.folder / f"pack-{self._packs}")
        return list_dataset(folder, session=copycat, **{"windows": "demo", **terms})

    def sell_made(self, tables: dict[str, int], *, title: str, **how: Any) -> tuple[Version, Made]:
        """List what a copycat made by hand of so many segments, as `make` takes them."""
        copycat = self.session("copycat")
        key = copycat.vault.put_seller_secret(random_scalar())
        made = make(
            tables,
            cek=seller_cek(copycat.vault, key),
            public_key=key,
            **{"card": {"title": title}, **how},
        )
        self._packs += 1
        folder = made.forged.write(self.net.folder / f"pack-{self._packs}")
        return list_dataset(folder, session=copycat, price="5 TUSD", windows="demo"), made

    def let_chance_speak(self) -> None:
        """Mine the blocks by whose word the samples of all listings are drawn."""
        self.net.chain.rpc("anvil_mine", hex(self.net.profile.beacon_blocks + 2))

    def open_sample(self, version: Version, made: Made) -> None:
        """Publish the keys that chance has picked, as the seller does."""
        assert Publisher(self.session("copycat")).publish(version, made.container).keys

    def publish(self, made: Made, shards: Iterable[int], role: str = "stranger") -> None:
        """Publish the keys of some shards, as any account may."""
        session = self.session(role)
        keys = made.keys(shards)
        for planned in plan_publish(session.chain, made.forged.manifest.root, keys):
            session.send(*planned)

    # ------------------------------------------------------------- real data

    def table(self, name: str) -> Path:
        """Return one of scikit-learn's tables as a CSV file."""
        from sklearn import datasets

        path = self.sources / f"{name}.csv"
        if not path.exists():
            getattr(datasets, f"load_{name}")(as_frame=True).frame.to_csv(path, index=False)
        return path

    def crowd(self, name: str) -> Path:
        """Return a crowd-labelled table of the catalogue as a Parquet file."""
        path = self.sources / f"{name}.parquet"
        if not path.exists():
            self._recipe("crowd.py").build(name, path)
        return path

    def digits(self) -> Path:
        """Return the handwritten digits as an image folder."""
        folder = self.sources / "digits"
        if not folder.exists():
            self._recipe("digits/recipe.py").build(folder)
        return folder / "images"

    def _recipe(self, script: str) -> Any:
        spec = importlib.util.spec_from_file_location("recipe", ROOT / "datasets" / script)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module


def fill(market: AppMarket) -> dict[str, Version]:
    """List a handful of real data sets, some kept by custodians and some by their sellers."""
    kept = {"custodians": 3, "threshold": 2, "lock": "100 TMK"}
    made = {
        "wine": market.sell(
            market.table("wine"),
            title="Wine, chemical analysis of three cultivars",
            description="178 Italian wines, thirteen measurements each, and the cultivar.",
            price="4 TUSD",
            licence="CC-BY-4.0",
        ),
        "iris": market.sell(
            market.table("iris"),
            title="Iris, measured by hand",
            description="Sepals and petals of 150 flowers of three species.",
            price="2.5 TUSD",
            licence="CC0-1.0",
            examples=5,
        ),
        "cancer": market.sell(
            market.table("breast_cancer"),
            title="Breast cancer, cell nuclei",
            description="Thirty features of cell nuclei from 569 biopsies, with the diagnosis.",
            price="0.02 TEUR",
            licence="CC-BY-4.0",
            bond="1 TEUR",
        ),
        "diabetes": market.sell(
            market.table("diabetes"),
            title="Diabetes, progression after one year",
            description="Ten baseline variables of 442 patients and how their disease went on.",
            price="12 TUSD",
            licence="LicenseRef-research-only",
            bond="20 TUSD",
            **kept,
        ),
        "digits": market.sell(
            market.digits(),
            title="Handwritten digits, images",
            description="1,797 small images of digits, in folders by what they show.",
            price="18 TUSD",
            licence="CC-BY-4.0",
            bond="50 TUSD",
            **kept,
        ),
        "weather": market.sell(
            market.crowd("cf_amt"),
            title="Weather sentiment of tweets, 20 answers an item",
            description="What does this tweet feel about the weather? 6,030 answers by 110 workers "
            "on Amazon Mechanical Turk, with gold labels as truth.",
            price="9.5 TUSD",
            licence="Apache-2.0",
            bond="15 TUSD",
            examples=8,
            **kept,
        ),
        "reviews": market.sell(
            market.crowd("sp_amt"),
            title="Movie reviews, labelled by a crowd",
            description=REVIEWS,
            price="25 TUSD",
            licence="Apache-2.0",
            bond="50 TUSD",
            examples=10,
            windows="careful",
            **kept,
        ),
    }
    market.accept(*(made[name] for name in ("diabetes", "digits", "weather", "reviews")))
    return made


REVIEWS = """Is this sentence from a movie review positive or negative? Asked on Amazon Mechanical \
Turk; here is every answer of every worker, with the gold label of the source beside it.

Good for testing methods that weigh workers by skill: the crowd is uneven, some workers answer a \
few items and some answer hundreds, and a plain majority is clearly worse than what \
can be reached."""
