"""AWS's errors in words."""

from __future__ import annotations

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    LoginRefreshRequired,
    SSOTokenLoadError,
)

from scones.aws.account import explained
from scones.errors import AwsAccess


@pytest.mark.parametrize(
    "error",
    [
        CredentialRetrievalError(provider="custom-process", error_msg="it ended with 1"),
        LoginRefreshRequired(),
        SSOTokenLoadError(error_msg="no token"),
    ],
)
def test_a_sign_in_that_is_over_is_told_as_such(error: BotoCoreError) -> None:
    with pytest.raises(AwsAccess, match=r"cannot look: .*sign in anew"), explained("look"):
        raise error


@pytest.mark.parametrize("code", ["InvalidAccessKeyId", "InvalidClientTokenId", "InvalidToken"])
def test_credentials_that_are_not_good_here_may_be_so_in_another_region(code: str) -> None:
    answer = {"Error": {"Code": code, "Message": "no"}}
    with pytest.raises(AwsAccess, match="sign in anew, or have the region enabled"), explained("look"):
        raise ClientError(answer, "GetCallerIdentity")  # type: ignore[arg-type]
