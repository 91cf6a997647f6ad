"""The language of content selectors: what is an expression, and what it holds for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pakhus.csel import Comparison, Either, Every, Expression, Operator, Subject, Unsupported, holds, narrowed, parsed

PATH = Subject.PATH


def path(operator: str, text: str) -> Comparison:
    return Comparison(PATH, Operator(operator), text)


@pytest.mark.parametrize(
    ("text", "format", "where", "expected"),
    [
        ('format == "raw"', "raw", "/a", True),
        ('format == "raw"', "npm", "/a", False),
        ("format != 'raw'", "npm", "/a", True),
        ('"raw" == format', "raw", "/a", True),
        ('path == "/a"', "raw", "/a", True),
        ('path == "/a"', "raw", "/a/b", False),
        ('path =^ "/org/acme/"', "raw", "/org/acme/x.jar", True),
        ('path =^ "/org/acme/"', "raw", "/org/acmes/x.jar", False),
        ('path =^ "/org/acme/"', "raw", "/ORG/acme/x.jar", False),
        (r'path =~ "/org/.*\.jar"', "raw", "/org/x.jar", True),
        (r'path =~ "/org/.*\.jar"', "raw", "/org/x.jar.sha1", False),
        (r'path =~ "/org/.*\\.jar"', "raw", "/org/xyjar", False),
        (r'path =~ "org"', "raw", "/org/x", False),
        ('format == "raw" and path =^ "/a" or path =^ "/b"', "npm", "/b", True),
        ('format == "raw" && (path =^ "/a" || path =^ "/b")', "npm", "/b", False),
        ('format=="raw"and(path=^"/a"or path=^"/b")', "raw", "/b", True),
        ("path == '/it\\'s'", "raw", "/it's", True),
        ("path == '/\"'", "raw", '/"', True),
    ],
)
def test_expression_holds(text: str, format: str, where: str, expected: bool) -> None:
    assert holds(parsed(text), format, where) is expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "path",
        'path == "a" and',
        'not path == "a"',
        '!(path == "a")',
        'repository == "a"',
        "path == 1",
        "path == format",
        'path.size() == "a"',
        'PATH == "a"',
        'path = "a"',
        'path == "a" path == "b"',
        '(path == "a"',
        'path == "a',
        '"a" =~ path',
        r'path =~ "(?!secret).*"',
        r'path =~ "(a)\1"',
        'path =~ "["',
        'path =~ "((a{100}){100}){100}"',
        "(" * 101 + 'path == "a"' + ")" * 101,
        'path == "' + "a" * 10_000 + '"',
    ],
)
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(Unsupported, match="not supported in CSEL"):
        parsed(text)


def test_refusal_says_where() -> None:
    with pytest.raises(Unsupported, match="character 13"):
        parsed('path == "a" nor path == "b"')


def test_and_binds_stronger_than_or() -> None:
    a, b, c = path("==", "a"), path("==", "b"), path("==", "c")

    assert parsed('path == "a" or path == "b" and path == "c"') == Either((a, Every((b, c))))


def test_hostile_regular_expression_costs_no_time() -> None:
    expression = parsed('path =~ "(a+)+b"')

    assert not holds(expression, "raw", "a" * 2000)


texts = st.text("ab/\"'\\.", max_size=4)
comparisons = st.builds(
    Comparison, st.sampled_from(Subject), st.sampled_from([Operator.EQUAL, Operator.UNEQUAL, Operator.STARTS]), texts
)
expressions: st.SearchStrategy[Expression] = st.recursive(
    comparisons,
    lambda inner: (
        st.lists(inner, min_size=2, max_size=3)
        .map(tuple)
        .flatmap(lambda parts: st.sampled_from([Every(parts), Either(parts)]))
    ),
    max_leaves=8,
)


def written(expression: Expression) -> str:
    if isinstance(expression, Comparison):
        text = expression.text.replace("\\", "\\\\").replace('"', '\\"')
        return f'{expression.subject} {expression.operator} "{text}"'
    word = " and " if isinstance(expression, Every) else " or "
    return word.join(f"({written(part)})" for part in expression.parts)


@given(expressions, st.sampled_from(["a", "b"]), texts)
def test_what_is_written_is_read_again(expression: Expression, format: str, where: str) -> None:
    again = parsed(written(expression))

    assert holds(again, format, where) == holds(expression, format, where)


@given(expressions, st.sampled_from(["a", "b"]), texts)
def test_nothing_changes_once_the_format_is_known(expression: Expression, format: str, where: str) -> None:
    left = narrowed(expression, format)

    assert (left if isinstance(left, bool) else holds(left, "", where)) == holds(expression, format, where)
