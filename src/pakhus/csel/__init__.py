"""CSEL, the language of content selectors: text → expression, and whether it holds for a path.

No input or output, and nothing of Pakhus: words of the language, its grammar, its regular expressions.
"""

from pakhus.csel.expression import Comparison, Either, Every, Expression, Operator, Subject, holds, narrowed
from pakhus.csel.grammar import Unsupported, parsed

__all__ = [
    "Comparison",
    "Either",
    "Every",
    "Expression",
    "Operator",
    "Subject",
    "Unsupported",
    "holds",
    "narrowed",
    "parsed",
]
