"""Settings of the environment that the client reads itself, or says that it does not."""

import pytest

from mizzle_async.wire.session.environment import app_suffix, environment_region, unused_settings


@pytest.mark.parametrize(
    ("environ", "region"),
    [
        ({}, None),
        ({"AWS_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": ""}, "eu-west-1"),
        ({"AWS_REGION": ""}, None),
    ],
)
def test_the_region_of_the_environment(environ, region):
    """``AWS_REGION`` counts where ``AWS_DEFAULT_REGION``, which boto3 in the same process obeys, is absent."""
    assert environment_region(environ) == region


def test_retry_settings_are_named_as_unused():
    """Each setting of botocore's retries that is present is named, with what governs retries instead."""
    assert unused_settings({"AWS_RETRY_MODE": "", "AWS_REGION": "x"}, {"region": "x"}) is None
    named = unused_settings({"AWS_RETRY_MODE": "bogus", "AWS_MAX_ATTEMPTS": "1"}, {"max_attempts": "3"})
    assert named == (
        "AWS_MAX_ATTEMPTS, AWS_RETRY_MODE, max_attempts of the profile: not used for DynamoDB calls, which"
        " Client(retry=RetryPolicy(…)) governs"
    )


@pytest.mark.parametrize(
    ("app_id", "suffix"),
    [
        (None, ""),
        ("", ""),
        ("orders", " app/orders"),
        ("a b/c\r\nx: y", " app/a-b-c--x--y"),
        ("x" * 60, f" app/{'x' * 50}"),
    ],
)
def test_an_application_s_id_is_one_word(app_id, suffix):
    """Whatever the id is, it adds one word to the user agent, and no header."""
    assert app_suffix(app_id) == suffix
