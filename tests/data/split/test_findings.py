"""Every finding that an audit can make has a name, and words for it."""

import inspect
import re

from prestige.data.split import audit
from prestige.data.split.findings import FINDINGS


def test_an_audit_makes_the_findings_that_are_named_and_no_other() -> None:
    made = set(re.findall(r'Finding\(\s*"(\w+)"', inspect.getsource(audit)))
    assert made == set(FINDINGS)


def test_each_has_its_own_words() -> None:
    assert len(set(FINDINGS.values())) == len(FINDINGS)
    assert all(words[0].islower() and not words.endswith(".") for words in FINDINGS.values())
