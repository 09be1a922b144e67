"""Names, parameters and tags have forms that MLflow accepts."""

from __future__ import annotations

from pipeline.tracking.run_texts import clean_name, param_texts, tag_texts


def test_nested_parameters_get_dotted_names() -> None:
    texts = param_texts({"model": {"max_iter": 10, "tags": {}}, "name": "wine"})
    assert texts == {"model.max_iter": "10", "model.tags": "{}", "name": "wine"}


def test_a_forbidden_character_becomes_an_underscore() -> None:
    assert clean_name("recall@5%") == "recall_5_"


def test_long_texts_are_cut() -> None:
    assert len(clean_name("n" * 300)) == 250
    assert len(param_texts({"text": "p" * 7000})["text"]) <= 6000
    assert len(tag_texts({"note": "t" * 9000})["note"]) == 8000
