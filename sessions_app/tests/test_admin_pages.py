"""Every page of every model in the back office opens for olga, and for nobody without rights."""

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from billing.models import User

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
OURS = ("billing", "stations", "sessions_app", "config")


def page(model, name, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def by_label(models):
    return {"argvalues": models, "ids": [model._meta.label for model in models]}


@pytest.fixture
def back_office(client, olga):
    client.force_login(olga)
    return client


def test_every_model_is_registered():
    models = {model for name in OURS for model in apps.get_app_config(name).get_models()}
    assert models <= set(admin.site._registry)


@pytest.mark.parametrize("model", **by_label(MODELS))
def test_list_opens(back_office, model):
    assert back_office.get(page(model, "changelist")).status_code == 200
