"""What a file is, by the ending of its name and by its first bytes. Needs neither torch nor Pillow."""

FORMATS = {
    "AVIF": ("avif", "avifs"),
    "BMP": ("bmp",),
    "DIB": ("dib",),
    "GIF": ("gif",),
    "JPEG": ("jpg", "jpeg", "jpe", "jfif", "mpo"),
    "JPEG2000": ("jp2", "j2k", "j2c", "jpc", "jpf", "jpx"),
    "PNG": ("png", "apng"),
    "PPM": ("ppm", "pgm", "pbm", "pnm", "pfm"),
    "TGA": ("tga", "icb", "vda", "vst"),
    "TIFF": ("tif", "tiff"),
    "WEBP": ("webp",),
}
"""What an image may hold, whatever its name ends in: formats that are pixels, and no programs such as EPS.

By Pillow's names; with each, its endings in lower case.
"""

ENDINGS = frozenset(ending for endings in FORMATS.values() for ending in endings)
HEIF_ENDINGS = frozenset(("heic", "heics", "heif", "heifs", "hif"))
"""Endings of images that pillow-heif reads, where it is installed."""

HEIF_ADVICE = "reading HEIC needs pip install 'ganctl[heic]'"
HEIF_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"))
LOOKED_AT = 1024
"""First bytes of a file that tell what it is."""

SIGNATURES = (
    (b"version https://git-lfs", "a Git LFS pointer in place of the file; fetch it by git lfs pull"),
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript drawing"),
    (b"PK\x03\x04", "a zip file"),
    (b"Rar!", "a RAR file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z file"),
    (b"\x1f\x8b", "a gzip file"),
    (b"8BPS", "a Photoshop file"),
    (b"gimp xcf", "a GIMP file"),
    (b"\xff\x0a", "a JPEG XL file"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL file"),
    (b"\x76\x2f\x31\x01", "an OpenEXR file"),
    (b"#?RADIANCE", "a Radiance HDR file"),
    (b"SIMPLE  =", "a FITS file"),
    (b"\x93NUMPY", "a .npy file; take data=array for it"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x1a\x45\xdf\xa3", "a video (WebM or Matroska)"),
    (b"qoif", "a QOI file"),
)
"""First bytes, and whose they are."""


def is_heif(start: bytes) -> bool:
    """Return whether a file that begins so is a HEIC image, as phones write them."""
    if start[4:8] != b"ftyp":
        return False
    brands = {start[at : at + 4] for at in range(8, min(int.from_bytes(start[:4]), LOOKED_AT), 4)}
    return bool(brands & HEIF_BRANDS)


def kind_of(start: bytes) -> str | None:
    """Return what a file that begins so is, in words, if it is something that is often taken for an image."""
    if not start:
        return "zero bytes"
    if not start.strip(b"\0"):
        return "zeros alone, as a download leaves that broke off"
    for signature, kind in SIGNATURES:
        if start.startswith(signature):
            return kind
    if start[4:8] == b"ftyp":
        return f"a HEIC image; {HEIF_ADVICE}" if is_heif(start) else "a video (MP4 or QuickTime)"
    if start[:4] == b"RIFF" and start[8:12] == b"AVI ":
        return "a video (AVI)"
    if start[128:132] == b"DICM":
        return "a DICOM file"
    return _kind_of_text(start)


def _kind_of_text(start: bytes) -> str | None:
    try:
        text = start.decode("utf-8-sig", "strict" if len(start) < LOOKED_AT else "ignore").strip().lower()
    except UnicodeDecodeError:
        return None
    if any(character < " " and not character.isspace() for character in text):
        return None
    if text.startswith(("<!doctype html", "<html")) or "<html" in text:
        return "an HTML page, as a site sends in place of a file"
    if text.startswith("<"):
        return "an SVG drawing" if "<svg" in text else "XML text"
    return "JSON text" if text.startswith(("{", "[")) else "plain text"
