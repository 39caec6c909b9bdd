"""Keys for accounts that sign by themselves: made anew at each start, and known to nobody."""


def private_key() -> str:
    """A private RSA key in PEM. Raises ImportError without the library that the providers' own clients need as well."""
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415 - only some extras bring it
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
