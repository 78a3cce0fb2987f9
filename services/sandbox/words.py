"""Names in a row, readable without quotes around each."""


def words(text: str) -> list[str]:
    """Split at blanks and line ends."""
    return text.split()
