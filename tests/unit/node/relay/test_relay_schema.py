# SPDX-License-Identifier: Apache-2.0
"""The relay asked all that its own schema allows, and what it does not: nothing may break it."""

from pathlib import Path

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
from schemathesis import checks

from tests.utils.relays import PaperDesk
from truthmark.bounty.payouts import Status
from truthmark.node.relay.api import create_app
from truthmark.web.rates import Rates


@pytest.fixture
def schema(tmp_path: Path) -> schemathesis.BaseSchema:
    desk = PaperDesk(tmp_path, policy={"watches": True, "watch_key": bytes(32)})
    desk.offer()
    desk.papers.bring(desk.client, 7)
    for who in range(3):
        desk.join(who)
    desk.show(Status.LABEL, workers=3)
    app = create_app(desk.relay, Rates(1e9, 1e9))
    return schemathesis.openapi.from_asgi("/v1/openapi.json", app)


asked = schemathesis.pytest.from_fixture("schema")
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]


def examples(count: int) -> hypothesis.settings:
    return hypothesis.settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
    )


@asked.parametrize()
@examples(2)
def test_api__what_its_schema_allows_and_forbids__is_answered_as_it_says(
    case: schemathesis.Case,
) -> None:
    case.call_and_validate(checks=CHECKS)


@pytest.mark.assure
@pytest.mark.timeout(3_600)  # for all operations together
@asked.parametrize()
@examples(60)
def test_api__far_more_of_it__is_answered_as_it_says(case: schemathesis.Case) -> None:
    case.call_and_validate(checks=CHECKS)
