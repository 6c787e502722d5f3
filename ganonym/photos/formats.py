"""What a file is: of an accepted format by its first bytes, a camera's RAW file, or another kind, and what to do then.

File names are never believed where bytes can be read. Of files that are not read two kinds are told apart by name. What
no camera calls a photograph (a system's housekeeping, hidden files, tables and texts) is *ignored*: counted, never
treated, nothing to do. Whatever may show a patient is *withheld*, with a remedy. Hidden files are ignored even where
they may be photographs, since nobody sees them when they look at the folder: they are thumbnails, rests of deleted
photographs, or versions that an editor keeps. Nothing of them is ever released.
"""

from __future__ import annotations

import io
import re
from pathlib import PurePosixPath
from typing import Literal, TypeAlias

from PIL import TiffImagePlugin

from ganonym.photos import heif

Format: TypeAlias = Literal["JPEG", "PNG", "WEBP", "TIFF", "BMP", "HEIF", "AVIF"]

ACCEPTED = "JPEG, PNG, WebP, TIFF, BMP, HEIC or AVIF"

_MAGIC: tuple[tuple[bytes, Format], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"BM", "BMP"),
)


def sniff(data: bytes) -> Format | None:
    """The accepted format whose signature `data` begins with, or None.

    >>> sniff(b"\\xff\\xd8\\xff\\xe0"), sniff(b"GIF89a")
    ('JPEG', None)
    """
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    return next((kind for magic, kind in _MAGIC if data.startswith(magic)), None) or heif.coding(data)


def png_chunk(data: bytes, wanted: bytes) -> bytes:
    """The content of a PNG's first chunk of this kind before its pixels; empty where there is none."""
    at = len(_MAGIC[1][0])
    while (kind := data[at + 4 : at + 8]) not in {b"IDAT", b""}:
        size = int.from_bytes(data[at : at + 4], "big")
        if kind == wanted:
            return data[at + 8 : at + 8 + size]
        at += 12 + size
    return b""


def ends_early(data: bytes, kind: Format) -> bool:
    """Whether the container itself shows that its end is missing; only names a failure, never admits a file."""
    if kind == "JPEG":
        return data.rfind(b"\xff\xd9") <= data.rfind(b"\xff\xda")
    if kind == "PNG":
        return b"IEND" not in data[-64:]
    if kind == "WEBP":
        return int.from_bytes(data[4:8], "little") + 8 > len(data)
    if kind == "BMP":
        return int.from_bytes(data[2:6], "little") > len(data)
    if kind in {"HEIF", "AVIF"}:
        return heif.ends_early(data)
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    start = data[4:8] if data[2:4] in (b"*\0", b"\0*") else data[8:16]
    return int.from_bytes(start, order) >= len(data)


_NEW_SUBFILE_TYPE, _WIDTH, _HEIGHT, _PHOTOMETRIC, _SUB_IFDS, _DNG_VERSION = 254, 256, 257, 262, 330, 50706
_REDUCED = 1
_SENSOR = {32803, 34892}  # colour filter array, LinearRaw
_MOST_IFDS = 32


def holds_raw(data: bytes) -> bool:
    """Whether a TIFF is a camera's RAW file, or shows at first a smaller copy of a picture further inside.

    Its first page is a sensor's data, a reduced picture, of a DNG or CR2, or smaller than a picture in its SubIFDs.
    Raises whatever a broken directory makes Pillow raise.
    """
    if data[8:10] == b"CR":
        return True
    first = _directory(data, None)
    if _DNG_VERSION in first or first.get(_PHOTOMETRIC) in _SENSOR or int(first.get(_NEW_SUBFILE_TYPE, 0)) & _REDUCED:
        return True
    offsets = first.get(_SUB_IFDS, ())
    others = [_directory(data, at) for at in (offsets if isinstance(offsets, tuple) else (offsets,))[:_MOST_IFDS]]
    return any(other.get(_PHOTOMETRIC) in _SENSOR or _pixels(other) > _pixels(first) for other in others)


def _directory(data: bytes, offset: int | None) -> TiffImagePlugin.ImageFileDirectory_v2:
    """The directory at `offset`, or the first one."""
    header = data[:16] if b"+" in data[2:4] else data[:8]  # 43, "+", is BigTIFF
    directory = TiffImagePlugin.ImageFileDirectory_v2(header)
    file = io.BytesIO(data)
    file.seek(directory.next if offset is None else offset)
    directory.load(file)
    return directory


def _pixels(directory: TiffImagePlugin.ImageFileDirectory_v2) -> int:
    return int(directory.get(_WIDTH, 0)) * int(directory.get(_HEIGHT, 0))


Foreign: TypeAlias = tuple[str, str]
"""What a file is, such as "a GIF", and the remedy."""

Ignored: TypeAlias = Literal["hidden", "system", "text"]

_GIF = ("a GIF", "Export the wanted frame as PNG.")
_VIDEO = ("a video", "Export the wanted frame as PNG.")
_PDF = ("a PDF", "Save the photos in it as PNG or JPEG.")
RAW: Foreign = ("a camera's RAW file", "Develop it and export it as JPEG or TIFF.")
_DICOM = ("a DICOM file", "Export its picture as PNG, without the header.")
_OFFICE = ("a document", "Save the photos in it as PNG or JPEG.")
_ARCHIVE = ("an archive", "Unpack it into the input folder.")
_PICTURE = ("a picture of another format", "Save it as PNG.")
_UNKNOWN = ("no picture", f"Save it as {ACCEPTED}.")

_FOREIGN_MAGIC: tuple[tuple[int, bytes, Foreign], ...] = (
    (0, b"GIF8", _GIF),
    (128, b"DICM", _DICOM),
    (0, b"%PDF", _PDF),
    (4, b"ftypcrx ", RAW),  # Canon's CR3
    (0, b"FUJIFILMCCD-RAW", RAW),
    (0, b"IIRO", RAW),  # Olympus
    (0, b"IIRS", RAW),
    (0, b"MMOR", RAW),
    (0, b"IIU\0", RAW),  # Panasonic
    (0, b"FOVb", RAW),  # Sigma
    (0, b"\0MRM", RAW),  # Minolta
    (4, b"ftypmif1", ("an HEIF file of a kind that is not read", "Save it as JPEG or PNG.")),
    (4, b"ftyp", _VIDEO),
    (4, b"moov", _VIDEO),
    (0, b"\x1a\x45\xdf\xa3", _VIDEO),  # Matroska, WebM
    (8, b"AVI ", _VIDEO),
    (0, b"\0\0\1\xba", _VIDEO),  # MPEG
    (0, b"\0\0\1\xb3", _VIDEO),
    (0, b"FLV", _VIDEO),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", _VIDEO),  # Windows Media
    (0, b"8BPS", ("a Photoshop file", "Export it as PNG.")),
    (0, b"gimp xcf", ("a GIMP file", "Export it as PNG.")),
    (4, b"jP  ", ("a JPEG 2000 file", "Save it as PNG.")),
    (0, b"\xff\x4f\xff\x51", ("a JPEG 2000 file", "Save it as PNG.")),
    (4, b"JXL ", ("a JPEG XL file", "Save it as PNG.")),
    (0, b"\xff\x0a", ("a JPEG XL file", "Save it as PNG.")),
    (0, b"\xd7\xcd\xc6\x9a", ("a Windows metafile", "Export it as PNG.")),
    (40, b" EMF", ("a Windows metafile", "Export it as PNG.")),
    (0, b"%!PS", ("a PostScript file", "Export it as PNG.")),
    (0, b"<?xml", ("an XML or SVG file", "Export it as PNG if it is a picture.")),
    (0, b"<svg", ("an SVG file", "Export it as PNG.")),
    (0, b"\xd0\xcf\x11\xe0", _OFFICE),
    (0, b"PK\x03\x04", ("a zip archive or a document", "Save the photos in it as files of their own.")),
    (0, b"\x1f\x8b", _ARCHIVE),
    (0, b"7z\xbc\xaf", _ARCHIVE),
    (0, b"Rar!", _ARCHIVE),
)

_BY_SUFFIX: dict[Foreign, str] = {
    _GIF: ".gif",
    _VIDEO: ".mp4 .m4v .mov .avi .mkv .webm .3gp .3g2 .mpg .mpeg .mts .m2ts .wmv .flv .heics .heifs .avifs",
    _PDF: ".pdf",
    RAW: ".dng .cr2 .cr3 .crw .nef .nrw .arw .srf .sr2 .orf .rw2 .raf .pef .srw .x3f .mrw .3fr .iiq .raw",
    _DICOM: ".dcm .dicom",
    _OFFICE: ".doc .docx .ppt .pptx .odt .odp .rtf .pages .key .pub",
    _ARCHIVE: ".zip .gz .tgz .tar .7z .rar .bz2 .xz",
    _PICTURE: ".psd .psb .xcf .svg .svgz .wmf .emf .eps .ps .ai .jp2 .j2k .jpx .jxl .ico .tga .ppm .pgm .pcx .mpo .jps",
}
_SUFFIXES = {suffix: foreign for foreign, suffixes in _BY_SUFFIX.items() for suffix in suffixes.split()}

_TEXTS = frozenset({
    ".txt", ".csv", ".tsv", ".xls", ".xlsx", ".xlsm", ".ods", ".numbers", ".sav", ".dta", ".json", ".jsonl", ".xml",
    ".yaml", ".yml", ".toml", ".ini", ".md", ".log", ".html", ".htm", ".xmp", ".aae", ".pp3", ".lnk", ".url",
    ".sha256", ".md5",
})  # fmt: skip
_SYSTEM_FILES = re.compile(
    r"(thumbs|ehthumbs|ehthumbs_vista)( ?\(\d+\))?\.db|desktop\.ini|icon\r|autorun\.inf|zbthumbnail\.info"
)
_SYSTEM_FOLDERS = re.compile(
    r"__macosx|@eadir|@tmp|#recycle|#snapshot|@recycle|@recently-snapshot|\$recycle\.bin|recycler|recycled|found\.\d{3}"
    r"|system volume information|lost\+found|network trash folder|temporary items|__pycache__|.*\.lrdata"
)


def describe(data: bytes) -> Foreign:
    """What refused bytes look like.

    >>> describe(b"GIF89a")
    ('a GIF', 'Export the wanted frame as PNG.')
    """
    return next((what for at, magic, what in _FOREIGN_MAGIC if data[at : at + len(magic)] == magic), _UNKNOWN)


def describe_name(name: str) -> Foreign:
    """What a file of a suffix that is not read seems to be.

    >>> describe_name("visit/IMG_1.CR2")[0]
    "a camera's RAW file"
    """
    suffix = PurePosixPath(name).suffix.lower()
    what = f"of an unknown suffix, {suffix}" if suffix else "without a suffix"
    return _SUFFIXES.get(suffix, (what, f"If it is a photo, save it as {ACCEPTED}."))


def why_ignored(name: str, folder: bool) -> Ignored | None:
    """Why the last part `name` of a path is no photograph's or folder of photographs' by itself; None if it may be.

    >>> why_ignored("._IMG_1.jpg", False), why_ignored("@eaDir", True), why_ignored("IMG_1.jpg", False)
    ('hidden', 'system', None)
    """
    if name.startswith("."):
        return "hidden"
    if (_SYSTEM_FOLDERS if folder else _SYSTEM_FILES).fullmatch(name.casefold()):
        return "system"
    return "text" if not folder and PurePosixPath(name).suffix.lower() in _TEXTS else None
