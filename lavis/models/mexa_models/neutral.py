"""Neutral text: words from media and annotations, shown so that they can't pass for a part of the prompt.

Nothing is taken away. What is invisible is shown as an escape, what reads as a tag or as a control
token loses its brackets, a line that imitates the prompt's own lines is quoted with ``| ``. A text
without any of it comes back as it is, and neutral text comes back unchanged.
"""

from __future__ import annotations

import functools
import re
import unicodedata

QUOTE = "| "
MARKER_SHOWN = "(marker)"
# Letters of other alphabets that look like Latin ones; what folds to a letter (NFKC) is found by itself.
LOOKALIKES = {
    "a": "аАαΑɑ",
    "c": "сСϲϹ",
    "d": "ԁԀժ",
    "e": "еЕεΕҽ",
    "h": "һНΗհ",
    "i": "іІιΙıӏ",
    "k": "кКκΚ",
    "l": "ӏΙ",
    "m": "мМΜ",
    "n": "пոΝηռ",
    "o": "оОοΟօ0",
    "p": "рРρΡ",
    "q": "ԛգ",
    "r": "гᴦ",
    "s": "ѕЅꜱ",
    "t": "тТτΤ",
    "u": "υսᴜ",
    "v": "νѵѴᴠ",
    "w": "ԝωᴡ",
    "x": "хХχΧ",
    "y": "уУγΥү",
}
FOLDING = ((0x2100, 0x2190), (0x2460, 0x2500), (0x1D400, 0x1D800), (0x1F130, 0x1F18A), (0xFF01, 0xFF5F))
OPEN_SIGNS = "<＜﹤‹〈⟨《«˂ᐸ❮❰≺⧼⦑"
CLOSE_SIGNS = ">＞﹥›〉⟩》»˃ᐳ❯❱≻⧽⦒"
# Tags that prompts, chat templates and tools give a meaning to, beside the evidence tag.
TAGS = (
    "s bos eos pad unk sys inst think thinking system user assistant human developer instruction instructions "
    "start_of_turn end_of_turn tool tool_call tool_response function_call image img audio video"
).split()
SQUARE_TAGS = (
    "inst system system_prompt available_tools tool_calls tool_results tool_content img img_break img_end "
    "bos eos gmask sop"
).split()
# Whose lines a prompt has: "Question: …", "### System: …".
LEADS = (
    "questions question options option choices answer situation system user assistant human developer experts expert "
    "instructions instruction"
).split()


@functools.cache
def _folded() -> dict[str, str]:
    """Return, for each ASCII letter and digit, every character that compatibility folding turns into it."""
    found: dict[str, str] = {}
    for first, end in FOLDING:
        for character in map(chr, range(first, end)):
            plain = unicodedata.normalize("NFKC", character).strip("()").lower()
            if len(plain) == 1 and plain.isascii() and plain.isalnum():
                found[plain] = found.get(plain, "") + character
    return found


def _like(word: str, between: str = "") -> str:
    """Return an expression for a word in any case and any letters that look like its own."""
    letters = []
    for letter in word.lower():
        same = {letter, letter.upper(), *_folded().get(letter, ""), *LOOKALIKES.get(letter, "")}
        letters.append("[" + "".join(map(re.escape, sorted(same))) + "]")
    return between.join(letters)


def _any_like(words: list[str]) -> str:
    return "(?:" + "|".join(map(_like, sorted(words, key=len, reverse=True))) + ")"


def _sign(signs: str, entity: str, code: int) -> str:
    """Return an expression for an angle bracket: itself, its likes, as an entity or as an escape."""
    entities = f"&(?:amp;)*(?:{entity}|#0*{code}|#x0*{code:x});?"
    escapes = rf"%(?:25)*{code:x}|\\(?:u00|x|u\{{){code:x}\}}?"
    return f"(?:[{signs}]|(?i:{entities}|{escapes}))"


OPEN, CLOSE = _sign(OPEN_SIGNS, "lt", 0x3C), _sign(CLOSE_SIGNS, "gt", 0x3E)
BLANK = r"[\s\u00ad]{0,4}"
SLASH = "[/／⁄∕⧸\\\\]{0,2}"
# All that has no glyph, turns the reading direction or is half a character; newlines and tabs are what they are.
UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)
FIRSTS = re.compile(f"[{OPEN_SIGNS}&%\\\\\\[［【]")
TAG = re.compile(
    f"{OPEN}(?:"
    f"(?P<evidence>{BLANK}{SLASH}{BLANK}{_like('evidence', BLANK)})"
    rf"|(?P<token>[|｜]{BLANK}[\w▁/ -]{{1,40}}{BLANK}[|｜]){CLOSE}"
    f"|(?P<tag>{BLANK}{SLASH}{BLANK}{_any_like(TAGS)}{BLANK}{SLASH}){CLOSE})"
    rf"|[\[［【](?P<square>{BLANK}{SLASH}{BLANK}{_any_like(SQUARE_TAGS)}{BLANK})[\]］】]"
)
COLON = "[:：﹕꞉∶]"
SIGNS = ">*_#`\"'“”«»(\\-–—•·=~"
BEFORE = _any_like(["final", "the", "new"])
# Each run of blanks is taken whole (?=(…))\1, so that a long one is read once. Before the word: list signs, emphasis,
# a heading's #. After it: emphasis, a number, and the colon.
IMITATION = re.compile(
    rf"^(?=(?=([ \t]*))\1(?:[{SIGNS}](?=([ \t]*))\2){{0,8}}"
    rf"(?:(?:{BEFORE}[ \t]{{1,4}})?{_any_like(LEADS)}[ \t]{{0,4}}[\d*_`\"'”)]{{0,4}}[ \t]{{0,4}}{COLON}"
    r"|[\[［【][ \t]{0,4}[^\W\d]\w*[ \t]{0,4}[\]］】]))",
    re.MULTILINE,
)


def neutral(text: str, marker: str = "") -> str:
    r"""Return a text that stands on lines of its own, so that it can't pass for a part of the prompt.

    Args:
        text: from a medium, or from what a model said of one; lone surrogates are allowed.
        marker: the run's fence marker, hexadecimal; empty where there is none.

    Returns:
        The text with ``\u202e`` for a character that can't be seen, ``(/evidence …`` for a tag,
        ``(marker)`` for the marker and ``| Answer: …`` for a line like the prompt's own.
    """
    return IMITATION.sub(QUOTE, _visible(text, marker))


def neutral_inline(text: str, marker: str = "") -> str:
    """Do the same for a text that follows a word of the prompt: its first line starts none."""
    first, newline, rest = _visible(text, marker).partition("\n")
    return first + newline + (IMITATION.sub(QUOTE, rest) if rest else "")


def neutral_name(name: str, marker: str = "") -> str:
    """Do the same for a name between square brackets, on one line."""
    return _visible(name, marker).replace("\n", " ").replace("[", "(").replace("]", ")")


def _visible(text: str, marker: str) -> str:
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = UNSEEN.sub(_escape, text)
    if FIRSTS.search(text):
        text = TAG.sub(_without_brackets, text)
    if marker and not (text.isascii() and marker not in text.lower()):
        text = _marker(marker).sub(MARKER_SHOWN, text)
    return text


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _without_brackets(match: re.Match[str]) -> str:
    if match["evidence"]:
        return "(" + match["evidence"]
    return f"({match['token'] or match['tag'] or match['square']})"


@functools.lru_cache(maxsize=64)
def _marker(marker: str) -> re.Pattern[str]:
    return re.compile(_like(marker))
