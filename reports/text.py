"""Text from outside (names, notes, links of adapters and records) made harmless, and numbers as they are printed."""

from __future__ import annotations

import re
import unicodedata
from decimal import ROUND_HALF_UP, Decimal
from urllib.parse import urlsplit

DASH = "\N{EN DASH}"
"""Printed where there is no number."""
LONGEST = 2000

LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "\N{EN DASH}": "--", "\N{MULTIPLICATION SIGN}": r"$\times$",
    "\N{PLUS-MINUS SIGN}": r"$\pm$", "\N{DOWNWARDS ARROW}": r"$\downarrow$", "\N{UPWARDS ARROW}": r"$\uparrow$",
    "\N{MINUS SIGN}": "$-$", "[": "{[}", "]": "{]}", "`": r"\textasciigrave{}", "'": r"\textquotesingle{}",
}  # fmt: skip

PREAMBLE = r"""\documentclass{article}
\usepackage[utf8]{inputenc}
\usepackage[T1]{fontenc}
\usepackage{textcomp}
\IfFileExists{lmodern.sty}{\usepackage{lmodern}}{}
\usepackage{booktabs}
\usepackage{xcolor}
\usepackage{graphicx}
\usepackage[a4paper,landscape,margin=15mm]{geometry}
% Best and second best. For journals in black and white: \textbf{#1} and \underline{#1}.
\newcommand{\best}[1]{\textcolor{red}{#1}}
\newcommand{\second}[1]{\textcolor{blue}{#1}}
% Reduction and increase against full precision, in percent.
\newcommand{\down}[1]{{\scriptsize($\downarrow$#1\%)}}
\newcommand{\up}[1]{{\scriptsize($\uparrow$#1\%)}}
\begin{document}
"""
"""What a LaTeX table of ours needs: packages, and the four macros for marks and changes."""


def clean(text: object, longest: int = LONGEST) -> str:
    """One line of printable text: no control, bidirectional, invisible or unassigned characters, spaces collapsed.

    Such characters can reorder or hide what a reader sees even where markup is escaped.
    """
    kept = (char if unicodedata.category(char)[0] != "C" else " " for char in str(text)[: 4 * longest])
    line = " ".join("".join(kept).split())
    return line if len(line) <= longest else line[: longest - 1] + "\N{HORIZONTAL ELLIPSIS}"


def safe_url(url: str) -> str:
    """The link if it is http or https with a host and no credentials, spaces or control characters; else empty."""
    if re.search(r"[\s\x00-\x20\x7f<>\"'`\\]", url) or clean(url) != url:
        return ""
    try:
        parts = urlsplit(url)
        hostname = parts.hostname
    except ValueError:
        return ""
    return url if parts.scheme in ("http", "https") and hostname and "@" not in parts.netloc else ""


def latex(text: str) -> str:
    """Text with LaTeX's special characters escaped, in the Latin alphabet: what pdflatex cannot set becomes ``?``."""
    return "".join(LATEX.get(char) or _latin(char) for char in clean(text))


def _latin(char: str) -> str:
    if char.isascii() or ("\N{INVERTED EXCLAMATION MARK}" <= char <= "\N{LATIN SMALL LETTER Y WITH DIAERESIS}"):
        return char
    plain = unicodedata.normalize("NFKD", char).encode("ascii", "ignore").decode()
    return "".join(LATEX.get(part, part) for part in plain) or "?"


def markdown(text: str) -> str:
    """Text that a Markdown table shows as it is: neither markup nor a further column."""
    return re.sub(r"([\\`*_\[\]#|<>~&$])", r"\\\1", clean(text))


def fixed(value: float, digits: int) -> str:
    """A number with ``digits`` after the point, exact ties away from zero (as JavaScript's toFixed does).

    From six digits on the scientific form with two significant digits, since such numbers are errors near zero.
    """
    if digits >= 6:
        return "0" if value == 0 else re.sub(r"e([+-])0+(?=\d)", r"e\1", f"{value:.1e}")
    rounded = Decimal(value).quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)
    return f"{rounded:f}" if rounded else f"{abs(rounded):f}"
