"""`ganonym classify`: train, test, ask and explain the published facial-syndrome classifiers."""

from __future__ import annotations

import typer

from ganonym_cli.classify.evaluate import evaluate
from ganonym_cli.classify.gallery import fewshot, match, retrieve
from ganonym_cli.classify.grade import composite, grade
from ganonym_cli.classify.models import explain, predict, recipes, train
from ganonym_cli.classify.screen import dysmorphism, screen

app = typer.Typer(no_args_is_help=True, help="The published facial-syndrome classifiers.")
_RECIPES, _GALLERIES = "Recipes and what they trained", "Galleries and few examples"
_FACES = "Screening, grading and pictures"
for command, panel in (
    (recipes, _RECIPES),
    (train, _RECIPES),
    (predict, _RECIPES),
    (evaluate, _RECIPES),
    (explain, _RECIPES),
    (match, _GALLERIES),
    (retrieve, _GALLERIES),
    (fewshot, _GALLERIES),
    (screen, _FACES),
    (dysmorphism, _FACES),
    (grade, _FACES),
    (composite, _FACES),
):
    app.command(rich_help_panel=panel)(command)
