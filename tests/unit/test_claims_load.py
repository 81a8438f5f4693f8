"""The rules file: what is in it, what is refused, and what a changed rule shows."""

from __future__ import annotations

import copy
import subprocess

import pytest
import yaml
from claims_world import table, true_world

from memloc.claims import first_run_commit, judge_all, load_claims, rule_commit
from memloc.claims.load import CLAIMS_FILE, STATISTICS
from memloc.claims.rules import RULES
from memloc.errors import MemlocError


@pytest.fixture
def raw():
    return yaml.safe_load(CLAIMS_FILE.read_text(encoding="utf-8"))


@pytest.fixture
def load(tmp_path):
    def write_and_load(raw):
        path = tmp_path / "claims.yml"
        path.write_text(yaml.safe_dump(raw), encoding="utf-8")
        return load_claims(path)

    return write_and_load


def test_fifteen_claims_each_with_a_rule_that_exists():
    claims = load_claims()
    assert [claim.id for claim in claims.claims] == [f"C{i:02}" for i in range(1, 16)]
    assert set(STATISTICS) == set(RULES)
    assert {part.statistic for claim in claims.claims for part in claim.parts} == set(RULES)
    assert claims.settings.exploratory_tasks == ("trec", "sst2")


def test_every_tested_part_can_exclude_chance_and_every_claim_has_a_test():
    for claim in load_claims().claims:
        assert any(part.test == "permutation" for part in claim.parts), claim.id
        for part in claim.parts:  # the threshold never asks for less than chance
            sign = -1 if part.direction == "below" else 1
            assert part.test == "none" or sign * part.threshold >= sign * part.chance, (claim.id, part.name)


@pytest.mark.parametrize("key", ["alpha", "metrics", "claims", "exploratory_tasks", "superseded"])
def test_a_missing_key_of_the_file_is_named(raw, load, key):
    del raw[key]
    with pytest.raises(MemlocError, match=f"missing key in claims.yml: '{key}'"):
        load(raw)


@pytest.mark.parametrize("key", ["finding", "unit", "version", "minimum", "parts", "verdicts"])
def test_a_missing_key_of_a_claim_is_named(raw, load, key):
    del raw["claims"][3][key]
    with pytest.raises(MemlocError, match=f"missing key in claim C04: '{key}'"):
        load(raw)


@pytest.mark.parametrize("key", ["statistic", "threshold", "value", "chance", "bound"])
def test_a_missing_key_of_a_part_is_named(raw, load, key):
    del raw["claims"][3]["parts"][0][key]
    with pytest.raises(MemlocError, match=f"missing key in claim C04, part no single layer.*: '{key}'"):
        load(raw)


def _change(raw, path, value):
    *way, last = path
    for step in way:
        raw = raw[step]
    raw[last] = value


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("alpha",), 5, "a level between 0 and .5"),
        (("claims", 4, "parts", 0, "value", "metric"), "mcgo", "unknown metric.*did you mean mcog"),
        (("claims", 4, "parts", 0, "group"), "nlo", "unknown task group.*nlu"),
        (("claims", 6, "parts", 0, "value", "models"), "pythja", "unknown model group.*did you mean pythia"),
        (("claims", 4, "parts", 0, "statistic"), "mean", "statistic: 'mean'; accepted: share_of_units"),
        (("claims", 4, "parts", 0, "direction"), "up", "direction: 'up'; accepted: above, below"),
        (("claims", 4, "parts", 0, "treshold"), 1, "unknown key.*did you mean threshold"),
        (("claims", 4, "minimum"), {"tasks": 5}, "missing key in claim C05: minimum: 'units'"),
        (("claims", 4, "verdicts"), {"holds": "x"}, "missing key.*'does not hold'"),
        (("claims", 4, "requires"), ["memorized"], "did you mean memorised"),
        (("claims", 4, "parts"), [], "at least one part"),
        (("claims", 4, "id"), "C04", "each id once"),
    ],
)
def test_what_cannot_be_meant_is_refused(raw, load, path, value, told):
    _change(raw, path, value)
    with pytest.raises(MemlocError, match=told):
        load(raw)


def test_no_file_or_no_yaml(tmp_path):
    with pytest.raises(MemlocError, match="claims file"):
        load_claims(tmp_path / "none.yml")
    (tmp_path / "bad.yml").write_text("a: [", encoding="utf-8")
    with pytest.raises(MemlocError, match="claims file"):
        load_claims(tmp_path / "bad.yml")


def test_a_changed_rule_shows_both_verdicts(raw, load):
    old = copy.deepcopy(raw["claims"][2])
    raw["claims"][2]["version"] = 2
    raw["claims"][2]["parts"][1]["bound"] = 0.99  # stricter than the 0.985 of the table
    raw["superseded"] = [old]
    frame = judge_all(table(true_world()), load(raw))
    both = frame[frame["claim"] == "C03"]
    assert both[["verdict", "rule_version", "superseded"]].values.tolist() == [
        ["does not hold", 2, False],
        ["holds", 1, True],
    ]
    assert both["p_holm"].isna().tolist() == [False, True]


def test_a_superseded_rule_must_be_older(raw, load):
    raw["superseded"] = [copy.deepcopy(raw["claims"][2])]
    with pytest.raises(MemlocError, match="superseded claim C03, version: 1"):
        load(raw)


@pytest.fixture
def git(tmp_path, monkeypatch):
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "a")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "a@example.org")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")

    def run(*arguments, day=1):
        monkeypatch.setenv("GIT_AUTHOR_DATE", f"2024-01-0{day}T12:00:00+00:00")
        monkeypatch.setenv("GIT_COMMITTER_DATE", f"2024-01-0{day}T12:00:00+00:00")
        done = subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    run("init", "-q")
    return run


def test_the_ledger_names_the_last_rule_and_the_first_run(tmp_path, git):
    rules, results = tmp_path / "claims.yml", tmp_path / "results"
    results.mkdir()
    for day, (path, text) in enumerate(
        [(rules, "1"), (rules, "2"), (results / "a", "1"), (results / "b", "1"), (results / "a", "2")], start=1
    ):
        path.write_text(text, encoding="utf-8")
        git("add", ".", day=day)
        git("commit", "-qm", str(day), day=day)
    rule, run = rule_commit(rules), first_run_commit(results)
    assert (rule.date[:10], rule.modified) == ("2024-01-02", False)
    assert run.date[:10] == "2024-01-03"
    assert git("rev-parse", "HEAD~3").startswith(rule.hash)
    rules.write_text("3", encoding="utf-8")
    assert rule_commit(rules).modified


def test_the_ledger_says_nothing_where_git_cannot_tell(tmp_path, monkeypatch, git):
    path = tmp_path / "claims.yml"
    path.write_text("1", encoding="utf-8")
    assert rule_commit(path) is None  # never committed
    assert first_run_commit(tmp_path / "results") is None
    git("add", ".")
    git("commit", "-qm", "rules")
    assert rule_commit(path) is not None
    subprocess.run(["git", "clone", "-q", "--depth", "1", tmp_path.as_uri(), str(tmp_path / "shallow")], check=True)
    assert rule_commit(tmp_path / "shallow" / "claims.yml") is None
    monkeypatch.setenv("PATH", "")
    assert rule_commit(path) is None  # no git on this machine
