"""A document as a PDF of one page: number, party, lines and total, written by hand."""

from collections.abc import Iterator, Mapping
from typing import Any

from services.sandbox.kinds import Kind

_LINE_HEIGHT = 16


def printed(kind: Kind, body: Mapping[str, Any]) -> bytes:
    """The bytes of a valid PDF 1.4 with its cross-reference table."""
    content = "\n".join(_content(_lines(kind, body))).encode("latin-1", "replace")
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources 6 0 R >>",
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        b"<< /Font << /F1 5 0 R >> >>",
    )
    return _file(objects)


def _lines(kind: Kind, body: Mapping[str, Any]) -> Iterator[str]:
    yield f"{kind.singular.title()} {body[kind.number_key]}"
    yield f"{body[kind.party_name_key]}, {body['date']}"
    for line in body["line_items"]:
        yield f"{line['quantity']} x {line['name'] or line['description']} at {line['rate']}: {line['item_total']}"
    yield f"Total: {body['total']} {body['currency_code']}"


def _content(lines: Iterator[str]) -> Iterator[str]:
    yield f"BT /F1 11 Tf 60 780 Td {_LINE_HEIGHT} TL"
    for line in lines:
        yield f"({_escaped(line)}) Tj T*"
    yield "ET"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


def _file(objects: tuple[bytes, ...]) -> bytes:
    text, places = b"%PDF-1.4\n", []
    for number, each in enumerate(objects, start=1):
        places.append(len(text))
        text += b"%d 0 obj\n%b\nendobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    end = b"xref\n0 %d\n0000000000 65535 f \n%btrailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
    return text + end % (size, table, size, len(text))
