"""Keys that show themselves to those who are meant, and to nobody else."""

from __future__ import annotations


class Secret(str):
    """A key: a text like any other, but for what ``repr`` says of it.

    Reports of errors that show variables, headers in a dict, a value in a notebook: all of them
    show what ``repr`` says.

    Examples
    --------
    >>> headers = {"Authorization": Secret("hush-hush")}
    >>> headers, headers["Authorization"] == "hush-hush"
    ({'Authorization': ***}, True)
    """

    __slots__ = ()

    @classmethod
    def of(cls, key: str | None) -> Secret | None:
        """Take a key, or none.

        Parameters
        ----------
        key : str, optional
            As it was handed in.

        Returns
        -------
        Secret or None
            None when there is none.
        """
        return None if key is None else cls(key)

    def __repr__(self) -> str:
        return "***"
