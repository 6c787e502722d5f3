"""Photos as stewards have them, sound and bad: every way of saving, every damage, tags full of canaries."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pillow_heif
import skimage.data
from numpy.typing import NDArray
from PIL import Image, ImageCms, PngImagePlugin, TiffImagePlugin

from ganonym.faces.appearance import load_appearance
from ganonym.phantom.people import sample_person
from ganonym.phantom.photos import sample_moment, take_photo

pillow_heif.register_heif_opener()  # so that Pillow writes HEIC, too

Pixels = NDArray[np.uint8]
CANARY = "Kanarienvogel-Żółw"
ASCII_CANARY = "Canary4711"
FOLDER = f"{ASCII_CANARY} {CANARY}"
FORMS = [text.encode(form) for text in (CANARY, ASCII_CANARY) for form in ("utf-8", "utf-16-le", "utf-16-be")]


def encoded(picture: Pixels | Image.Image, kind: str, **options: Any) -> bytes:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png(width: int, height: int, depth: int, colour: int, scanlines: bytes) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(scanlines, 9)) + chunk(b"IEND", b"")


def tagged_jpeg(rgb: Pixels) -> bytes:
    """A JPEG that names the patient in EXIF, GPS, comment, ICC and after the end of the picture."""
    exif = Image.Exif()
    exif[0x010E] = ASCII_CANARY  # ImageDescription
    exif[0x013B] = CANARY.encode()  # Artist
    exif.get_ifd(0x8825)[29] = ASCII_CANARY  # GPSDateStamp
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return encoded(rgb, "JPEG", quality=95, exif=exif, comment=ASCII_CANARY, icc_profile=icc) + CANARY.encode()


def tagged_png(rgb: Pixels) -> bytes:
    text = PngImagePlugin.PngInfo()
    text.add_text("Patient", ASCII_CANARY)
    text.add_itxt("XML:com.adobe.xmp", f"<x>{CANARY}</x>")
    return encoded(rgb, "PNG", pnginfo=text)


def tagged_tiff(rgb: Pixels) -> bytes:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[270] = ASCII_CANARY
    return encoded(rgb, "TIFF", tiffinfo=tags)


def deep_rgb(rgb: Pixels, bits: int) -> bytes:
    rows = np.rint(rgb * ((2**bits - 1) / 255)).astype(">u2").reshape(len(rgb), -1)
    return png(rgb.shape[1], rgb.shape[0], 16, 2, b"".join(b"\0" + row.tobytes() for row in rows))


def with_alpha(rgb: Pixels) -> Image.Image:
    """The face in an ellipse, transparent around it: a cut-out."""
    y, x = np.mgrid[-1 : 1 : len(rgb) * 1j, -1 : 1 : rgb.shape[1] * 1j]
    return Image.fromarray(np.dstack([rgb, np.where(x * x + y * y < 0.8, 255, 0).astype(np.uint8)]))


def lying_orientation(rgb: Pixels) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(np.rot90(rgb), "JPEG", quality=95, exif=exif)


def tagged_heic(rgb: Pixels) -> bytes:
    """As a telephone saves it: lying on its side, turned by its box, named in EXIF, with a thumbnail."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = ASCII_CANARY
    return encoded(np.rot90(rgb), "HEIF", quality=90, exif=exif.tobytes(), thumbnails=[128])


def frames(first: Pixels, second: Pixels, kind: str) -> bytes:
    return encoded(first, kind, save_all=True, append_images=[Image.fromarray(second)], duration=100)


def turned_head(yaw: float) -> Pixels:
    model = load_appearance()
    moment = sample_moment(model, np.random.default_rng(2))
    # Phantoms turn on an ellipsoid, and not every one of them looks turned by as much as it is; this one does.
    person = sample_person(model, np.random.default_rng(8))
    neutral = np.zeros_like(moment.expression)
    moment = replace(moment, yaw=yaw, pitch=0.0, roll=0.0, expression=neutral)
    return take_photo(person, moment, model, np.random.default_rng(3))


def good_photos(people: list[Pixels]) -> dict[str, bytes]:
    """Files that must all be anonymized, most of them saved in an unusual way; each shows somebody else."""
    wide = np.pad(people[22], ((0, 0), (240, 240), (0, 0)), mode="edge")
    return {
        f"{FOLDER}/{ASCII_CANARY}.jpg": tagged_jpeg(people[0]),
        f"{FOLDER}/deeper/{CANARY}.png": tagged_png(people[1]),
        f"{FOLDER}/{CANARY} scan.TIFF": tagged_tiff(people[2]),
        "folder.jpg/inside.webp": encoded(people[3], "WEBP", quality=90),
        "windows.bmp": encoded(people[4], "BMP"),
        "a-png-called.jpg": encoded(people[5], "PNG"),
        "upside-down.png": encoded(people[6][::-1, ::-1], "PNG"),
        "quarter-turned.png": encoded(np.rot90(people[7]), "PNG"),
        "turned-by-its-exif.jpg": lying_orientation(people[8]),
        "grey.jpg": encoded(Image.fromarray(people[9]).convert("L"), "JPEG", quality=95),
        "grey-16-bit.png": encoded(people[10][..., 1].astype(np.uint16) * 257, "PNG"),
        "grey-16-bit.tif": encoded(people[11][..., 1].astype(np.uint16) * 257, "TIFF"),
        "rgb-16-bit.png": deep_rgb(people[12], 16),
        "rgb-12-bit.png": deep_rgb(people[13], 12),
        "grey-12-bit.tif": encoded(people[14][..., 1].astype(np.uint16) * 16, "TIFF"),
        "IMG_0001.HEIC": tagged_heic(people[15]),
        "a-heic-called.jpg": encoded(people[16], "HEIF", quality=90),
        "web.avif": encoded(people[17], "AVIF", quality=90, speed=10),
        "cmyk.jpg": encoded(Image.fromarray(people[18]).convert("CMYK"), "JPEG", quality=95),
        "palette.png": encoded(Image.fromarray(people[19]).quantize(128), "PNG"),
        "alpha.png": encoded(with_alpha(people[20]), "PNG"),
        "alpha.webp": encoded(with_alpha(people[21]), "WEBP", lossless=True),
        "progressive-landscape.jpg": encoded(wide, "JPEG", quality=90, progressive=True),
        "real-person.png": encoded(skimage.data.astronaut(), "PNG"),
    }


def bad_photos(people: list[Pixels]) -> dict[str, tuple[bytes, str]]:
    """Files that must all be withheld, and for which reason."""
    jpeg = encoded(people[0], "JPEG", quality=95)
    lossless = encoded(people[1], "PNG")
    heic = encoded(people[2], "HEIF", quality=90)
    tiff = encoded(people[2], "TIFF", compression="tiff_lzw")
    panorama = np.full((480, 20_000, 3), 128, np.uint8)
    panorama[:, 9_000:9_480] = people[0]
    return {
        "empty.jpg": (b"", "empty"),
        "zeros.png": (bytes(4096), "unsupported"),
        "signature-only.jpg": (b"\xff\xd8\xff", "truncated"),
        **{f"cut-{share}.jpg": (jpeg[: len(jpeg) * share // 100], "truncated") for share in (30, 90)},
        **{f"cut-{share}.png": (lossless[: len(lossless) * share // 100], "truncated") for share in (30, 90)},
        **{f"cut-{share}.tif": (tiff[: len(tiff) * share // 100], "truncated") for share in (30, 90)},
        "bomb.png": (png(60_000, 60_000, 1, 0, bytes(10_000)), "too-large"),
        "bomb-that-inflates.png": (png(16_000, 16_000, 8, 0, bytes(16_001 * 16_000)), "too-large"),
        "text.jpg": (b"Dear colleague, please find the photo attached.\n" * 50, "unsupported"),
        "web-page.png": (b"<!DOCTYPE html><html><body>404</body></html>", "unsupported"),
        "archive.jpg": (b"PK\x03\x04" + bytes(200), "unsupported"),
        "consent.pdf": (b"%PDF-1.7\n" + jpeg, "unsupported"),
        "clip.mp4": (b"\0\0\0\x20ftypisom" + bytes(200), "unsupported"),
        "clip-called.heic": (b"\0\0\0\x20ftypisom" + bytes(200), "unsupported"),
        "cut-heic.heic": (heic[: len(heic) // 2], "truncated"),
        "moving.avif": (frames(people[0], people[1], "AVIF"), "animated"),
        "night-or-12-bit.png": (deep_rgb(people[0] // 3, 12), "unsupported"),
        "one-pixel.png": (encoded(people[0][:1, :1], "PNG"), "no-face"),
        "one-row.png": (encoded(people[0][240:241], "PNG"), "no-face"),
        "wide-noise.png": (encoded(np.full((3, 20_000, 3), 90, np.uint8), "PNG"), "no-face"),
        "panorama.jpg": (encoded(panorama, "JPEG"), "no-face"),
        "moving.gif": (frames(people[0], people[1], "GIF"), "unsupported"),
        "gif-called.png": (frames(people[0], people[1], "GIF"), "unsupported"),
        "moving.png": (frames(people[0], people[1], "PNG"), "animated"),
        "moving.webp": (frames(people[0], people[1], "WEBP"), "animated"),
        "two-pages.tif": (frames(people[0], people[1], "TIFF"), "animated"),
        "coffee.png": (encoded(skimage.data.coffee(), "PNG"), "no-face"),
        "cat.jpg": (encoded(skimage.data.chelsea(), "JPEG"), "no-face"),
        "thumbnail.jpg": (encoded(Image.fromarray(people[2]).resize((60, 60)), "JPEG"), "tiny"),
        "profile.png": (encoded(turned_head(44.0), "PNG"), "profile"),
        "full-profile.png": (encoded(turned_head(75.0), "PNG"), "no-face"),
    }


def ignored_files(people: list[Pixels]) -> dict[str, bytes]:
    """Files that are no photographs by their names, some of which hold one."""
    jpeg = encoded(people[0], "JPEG")
    folders = ("@eaDir", "#recycle", "$RECYCLE.BIN", "__MACOSX", ".thumbnails")
    names = (".DS_Store", "Thumbs.db", "desktop.ini", "notes.txt", "people.xlsx", "IMG_0001.AAE")
    apple_double = {"._windows.bmp": b"\0\5\26\7" + bytes(90), "folder.jpg/._inside.webp": b"\0\5\26\7"}
    return (
        {f"{folder}/face.jpg": jpeg for folder in folders}
        | dict.fromkeys(names, b"housekeeping")
        | apple_double
        | {".hidden.jpg": jpeg}
    )


def border_photos(people: list[Pixels]) -> dict[str, bytes]:
    """Faces cut by the edge: whether there is enough left to treat them is the detector's judgement."""
    cuts: dict[str, Callable[[Pixels], Pixels]] = {
        "left-half": lambda rgb: rgb[:, :240],
        "right-half": lambda rgb: rgb[:, 240:],
        "upper-half": lambda rgb: rgb[:250],
        "lower-half": lambda rgb: rgb[230:],
        "most": lambda rgb: rgb[:, 170:],
        "chin-missing": lambda rgb: rgb[:330],
    }
    return {f"border/{name}-{n}.png": encoded(cut(people[n]), "PNG") for name, cut in cuts.items() for n in (23, 24)}
