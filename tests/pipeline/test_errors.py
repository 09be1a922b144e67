"""Each error class has its exit code, and a hint names the nearest known word."""

from __future__ import annotations

import pytest

from pipeline import errors

EXIT_CODES = {
    errors.MlopsError: 70,
    errors.UsageError: 2,
    errors.ConfigError: 3,
    errors.UnknownOption: 3,
    errors.TargetRefused: 3,
    errors.ExtensionFailed: 3,
    errors.DataError: 4,
    errors.GateRefused: 5,
    errors.Conflict: 6,
    errors.DependencyUnavailable: 7,
    errors.DatabaseMissing: 7,
    errors.DatabaseDamaged: 7,
    errors.UnreadableFile: 4,
    errors.UnsupportedFrame: 4,
    errors.IntegrityError: 8,
    errors.NotAllowed: 9,
}


@pytest.mark.parametrize(("error_class", "code"), EXIT_CODES.items())
def test_an_error_class_has_its_documented_exit_code(error_class: type[errors.MlopsError], code: int) -> None:
    assert error_class.exit_code == code
    assert error_class.__name__ in (errors.__doc__ or "")


def test_every_public_error_class_is_in_the_table() -> None:
    public = {getattr(errors, name) for name in errors.__all__}
    assert {member for member in public if isinstance(member, type)} == set(EXIT_CODES)


@pytest.mark.parametrize(
    ("word", "hint"),
    [("stratfied", "; did you mean 'stratified'?"), ("random", "; did you mean 'random'?"), ("xyz", ""), ("", "")],
)
def test_a_hint_names_the_nearest_known_word(word: str, hint: str) -> None:
    assert errors.did_you_mean(word, ["stratified", "random"]) == hint
