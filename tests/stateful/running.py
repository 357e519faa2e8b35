# SPDX-License-Identifier: Apache-2.0
"""How long the state machines run, in tests and in campaigns."""

from typing import Any

import hypothesis
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test


def run_machine(machine: type[RuleBasedStateMachine], examples: int, **settings: Any) -> None:
    """Run a state machine again and again, 50 steps each.

    Args:
        machine: Its class.
        examples: How many runs.
        settings: More of Hypothesis' settings.
    """
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=hypothesis.settings(
            max_examples=examples, stateful_step_count=50, deadline=None, **settings
        ),
    )
