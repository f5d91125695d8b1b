"""The name under which Penstock is installed, and the command that installs what is missing.

The distribution is `penstock-ml`; `penstock` on PyPI is another project. Messages take the name from here.
"""

DISTRIBUTION = "penstock-ml"


def requirement(*extras: str) -> str:
    """Return the distribution with extras, as a requirement.

    Example:
        >>> requirement("run", "gcp")
        'penstock-ml[run,gcp]'
    """
    return f"{DISTRIBUTION}[{','.join(extras)}]" if extras else DISTRIBUTION


def install_command(*extras: str, upgrade: bool = False) -> str:
    """Return the command that installs Penstock with extras, as error messages show it.

    Example:
        >>> install_command("run")
        "pip install 'penstock-ml[run]'"
    """
    verb = "pip install --upgrade" if upgrade else "pip install"
    return f"{verb} '{requirement(*extras)}'" if extras else f"{verb} {requirement()}"
