"""The kind of an image file, by its first bytes; its ending is a hint where these say nothing."""

from __future__ import annotations

from pathlib import Path

HEAD = 64
"""Bytes that tell the kind."""
READ = ("PNG", "JPEG", "WebP", "GIF", "BMP", "TIFF", "JPEG 2000", "AVIF")
"""Kinds that are read."""
ENDINGS = (
    ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".jfi", ".mpo", ".webp", ".gif", ".bmp",
    ".dib", ".tif", ".tiff", ".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx", ".avif",
    ".jpg_large", ".jpg_orig", ".png_large",
)  # fmt: skip
"""Endings of these kinds, in small letters: such a file is an image, even if it is damaged."""
UNREAD = {
    **dict.fromkeys((".heic", ".heif", ".hif"), "HEIC"), ".jxl": "JPEG XL",
    **dict.fromkeys((".psd", ".psb"), "Photoshop"), ".xcf": "GIMP", ".kra": "Krita",
    ".exr": "OpenEXR", ".hdr": "Radiance", **dict.fromkeys((".svg", ".svgz"), "SVG"),
    **dict.fromkeys((".eps", ".ps", ".ai"), "PostScript"), ".tga": "TGA", ".dds": "DDS",
    ".qoi": "QOI", ".pcx": "PCX", **dict.fromkeys((".ico", ".cur", ".icns"), "icon"),
    **dict.fromkeys((".ppm", ".pgm", ".pbm", ".pnm", ".pam", ".pfm"), "PNM"),
    **dict.fromkeys((".dng", ".nef", ".cr2", ".cr3", ".arw", ".orf", ".rw2", ".raf", ".pef",
                     ".srw"), "camera raw"),
}  # fmt: skip
"""Endings of images that are not read. Some begin like a TIFF, which holds a preview."""
OTHER = {
    ".txt", ".caption", ".json", ".jsonl", ".csv", ".tsv", ".parquet", ".arrow", ".npy", ".npz",
    ".tar", ".zip", ".gz", ".xz", ".bz2", ".zst", ".7z", ".md", ".html", ".htm", ".css", ".js",
    ".xml", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".log", ".py", ".ipynb", ".sh", ".pt",
    ".pth", ".ckpt", ".bin", ".safetensors", ".onnx", ".pkl", ".h5", ".hdf5", ".lock", ".pdf",
    ".mp4", ".webm", ".mov", ".mkv", ".avi", ".mp3", ".wav", ".xlsx", ".xls", ".docx", ".sqlite",
    ".db", ".idx", ".index", ".metadata", ".incomplete",
}  # fmt: skip
"""Endings of files that are not opened to see whether they are images."""
TARS = (".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst")
BACKUPS = ("~", ".bak", ".orig", ".old", ".tmp", ".part", ".crdownload", ".swp", ".download")
"""What editors and downloaders add to the name of an image."""
_STARTS = (
    (b"\x89PNG\r\n\x1a\n", "PNG"), (b"\xff\xd8\xff", "JPEG"), (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"), (b"II*\0", "TIFF"), (b"MM\0*", "TIFF"), (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"), (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"), (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"), (b"8BPS", "Photoshop"),
    (b"\x76\x2f\x31\x01", "OpenEXR"), (b"%!PS", "PostScript"), (b"\xc5\xd0\xd3\xc6", "PostScript"),
    (b"qoif", "QOI"), (b"DDS ", "DDS"), (b"#?RADIANCE", "Radiance"), (b"gimp xcf", "GIMP"),
)  # fmt: skip
_HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_BMP = {12, 16, 40, 52, 56, 64, 108, 124}
"""Sizes of the second header of a BMP."""


def of_content(head: bytes) -> str:
    """The kind of an image by its first HEAD bytes; empty for anything else."""
    for start, kind in _STARTS:
        if head.startswith(start):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[4:8] == b"ftyp":
        brands = {head[i : i + 4] for i in range(8, min(len(head), int.from_bytes(head[:4])), 4)}
        if brands & {b"avif", b"avis"}:
            return "AVIF"
        return "HEIC" if brands & _HEIC else ""
    small = len(head) > 18 and int.from_bytes(head[14:18], "little") in _BMP
    return "BMP" if head[:2] == b"BM" and small else ""


def is_tar(name: str) -> bool:
    """Whether a file is called as tars are, compressed ones included."""
    return name.lower().endswith(TARS)


def head(path: Path) -> bytes:
    """The first HEAD bytes of a file; empty where it cannot be opened."""
    try:
        with path.open("rb") as file:
            return file.read(HEAD)
    except OSError:
        return b""


def ending(name: str) -> str:
    """The last ending of a file name, in small letters; empty for none."""
    stem, dot, last = name.rpartition(".")
    return f".{last.lower()}" if dot and stem.strip(".") else ""
