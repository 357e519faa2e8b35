# SPDX-License-Identifier: Apache-2.0
"""Why a relay does not do what it is asked; each has a status of HTTP."""

from http import HTTPStatus
from typing import ClassVar

from truthmark.errors import BountyError


class RefusedError(BountyError):
    """What was asked is wrong."""

    status: ClassVar[HTTPStatus] = HTTPStatus.BAD_REQUEST


class ForbiddenError(RefusedError):
    """Somebody else might ask for it."""

    status = HTTPStatus.FORBIDDEN


class MissingError(RefusedError):
    """There is nothing of this name, or not yet."""

    status = HTTPStatus.NOT_FOUND


class ConflictError(RefusedError):
    """It does not fit what is there already, or how the bounty stands."""

    status = HTTPStatus.CONFLICT


class TooLargeError(RefusedError):
    """It is longer than anything of its kind."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class SlowError(RefusedError):
    """It did not come in time."""

    status = HTTPStatus.REQUEST_TIMEOUT


class UnsettledError(RefusedError):
    """What it hangs on is still to come: the chain's word, or the requester's offer."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
