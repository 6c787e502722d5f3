"""`ganonym classify`: train, test, ask and explain the published facial-syndrome classifiers."""

from __future__ import annotations

import typer

from ganonym_cli.classify.composite import composite
from ganonym_cli.classify.evaluate import evaluate
from ganonym_cli.classify.explain import explain
from ganonym_cli.classify.fewshot import fewshot
from ganonym_cli.classify.predict import predict
from ganonym_cli.classify.train import recipes, train

app = typer.Typer(no_args_is_help=True, help="The published facial-syndrome classifiers.")
for command in (recipes, train, predict, evaluate, explain, fewshot, composite):
    app.command()(command)
