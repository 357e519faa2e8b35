# SPDX-License-Identifier: Apache-2.0
"""What labelers do on the label page, in tests and benchmarks."""

from playwright.sync_api import Page


def ask_to_join(page: Page, payee: str | None = None) -> str:
    """Save the recovery file and press Join; return what was saved.

    Args:
        page: At the form.
        payee: Where to be paid; as the form has it if not given.
    """
    if payee is not None:
        page.get_by_label("Where you want to be paid").fill(payee)
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save the recovery file").click()
    page.get_by_role("button", name="Join", exact=True).click()
    return saved.value.path().read_text()
