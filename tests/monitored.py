"""What rules and dashboard ask Prometheus for."""

import json
import os
import re

import yaml

FOLDER = os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "monitoring")
RULES = os.path.join(FOLDER, "waybill.rules.yml")
DASHBOARD = os.path.join(FOLDER, "waybill.grafana.json")

# A metric of ours, and the labels that it is chosen by.
SELECTOR = re.compile(r"\b(waybill_[a-z_]+)\b(?:\{([^}]*)\})?")
LABEL = re.compile(r'([a-z_]+)(?:=~|!~|!=|=)"')


def rules():
    """The rules of all groups, each as a dict."""
    with open(RULES, encoding="utf-8") as file:
        return [rule for group in yaml.safe_load(file)["groups"]
                for rule in group["rules"]]


def panels():
    """The panels of the dashboard, rows too."""
    with open(DASHBOARD, encoding="utf-8") as file:
        return json.load(file)["panels"]


def queries():
    """(where, expression) of every query in both."""
    for rule in rules():
        yield rule.get("alert") or rule["record"], rule["expr"]
    for panel in panels():
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]


def used():
    """(where, metric, labels) of every selector of a metric of ours."""
    for where, expression in queries():
        for name, inside in SELECTOR.findall(expression):
            yield where, name, set(LABEL.findall(inside))
