"""Images: passed on, converted, turned, scaled, refused."""

import io
import zlib
from base64 import b64decode
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage

from localaik.media.faults import MediaError
from localaik.media.images import prepare_image
from localaik.media.png import is_whole_png
from localaik.settings import Settings
from tests.media_samples import make_image, make_oriented_jpeg, make_png_header

SETTINGS = Settings()
# What people paste into tests of their own.
POPULAR_PNGS = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==",
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=",
    "iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4//8/w38GIAXDIBKE0DHxgljNBAAO9TXL0Y4OHwAAAABJRU5ErkJggg==",
)


def prepared(data: bytes, settings: Settings = SETTINGS, *, low_detail: bool = False) -> PillowImage.Image:
    """The PNG that `data` becomes; fails where it is passed on."""
    ready = prepare_image(data, settings, low_detail=low_detail)
    assert ready.data is not None
    assert ready.mime == "image/png"
    image = PillowImage.open(io.BytesIO(ready.data))
    assert image.format == "PNG"
    return image


def refusal(data: bytes, settings: Settings = SETTINGS) -> MediaError:
    with pytest.raises(MediaError) as refused:
        prepare_image(data, settings, low_detail=False)
    return refused.value


def saved(image: PillowImage.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(("kind", "mime"), [("PNG", "image/png"), ("JPEG", "image/jpeg")])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_b121_png_and_jpeg_pass_unchanged(kind: str, mime: str, mode: str) -> None:
    ready = prepare_image(make_image(kind, mode=mode), SETTINGS, low_detail=False)
    assert (ready.mime, ready.data) == (mime, None)


@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGBA", "I;16"])
def test_b121_every_kind_of_png_passes(mode: str) -> None:
    image = PillowImage.new(mode, (37, 23))
    assert prepare_image(saved(image, "PNG"), SETTINGS, low_detail=False).data is None


@pytest.mark.parametrize("text", POPULAR_PNGS)
def test_b121_tiny_png_files_of_other_tools_pass(text: str) -> None:
    assert prepare_image(b64decode(text), SETTINGS, low_detail=False).data is None


def test_b121_progressive_and_cmyk_jpeg_pass() -> None:
    progressive = saved(PillowImage.linear_gradient("L"), "JPEG", progressive=True)
    cmyk = saved(PillowImage.new("CMYK", (16, 16), (0, 255, 0, 0)), "JPEG")
    assert prepare_image(progressive, SETTINGS, low_detail=False).data is None
    assert prepare_image(cmyk, SETTINGS, low_detail=False).data is None


@pytest.mark.parametrize("kind", ["WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_b121_other_kinds_become_png(kind: str) -> None:
    assert prepared(make_image(kind, 32, 20)).size == (32, 20)


def test_b121_the_first_frame_of_an_animation_is_taken() -> None:
    frames = [PillowImage.new("RGB", (9, 9), colour) for colour in ("red", "blue")]
    animation = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert prepared(animation).convert("RGB").getpixel((4, 4)) == (255, 0, 0)


def test_transparency_becomes_white() -> None:
    ghost = PillowImage.new("RGBA", (4, 4), (0, 0, 0, 0))
    assert prepared(saved(ghost, "WEBP", lossless=True)).getpixel((1, 1)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("mode", "value", "grey"), [("I;16", 0x8000, 128), ("I", 70_000, 0), ("F", 0.5, 0), ("CMYK", (0, 0, 0, 0), None)]
)
def test_deep_and_printed_images_become_eight_bit(mode: str, value: object, grey: int | None) -> None:
    image = prepared(saved(PillowImage.new(mode, (4, 4), value), "TIFF"))
    assert image.mode == ("RGB" if grey is None else "L")
    assert image.getpixel((0, 0)) == ((255, 255, 255) if grey is None else pytest.approx(grey, abs=1))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_b121_exif_rotation_is_applied(orientation: int) -> None:
    data = make_oriented_jpeg(64, 32, orientation)
    if orientation == 1:
        assert prepare_image(data, SETTINGS, low_detail=False).data is None
        return
    image = prepared(data)
    assert image.size == ((64, 32) if orientation < 5 else (32, 64))
    assert image.getexif().get(0x0112, 1) == 1
    # The red channel grows downwards in the file, so its bright edge tells how the picture was turned.
    edges = {
        "bottom": image.getpixel((image.width // 2, image.height - 1)),
        "top": image.getpixel((image.width // 2, 0)),
    }
    edges |= {
        "right": image.getpixel((image.width - 1, image.height // 2)),
        "left": image.getpixel((0, image.height // 2)),
    }
    brightest = max(edges, key=lambda edge: edges[edge][0])
    expected = {2: "bottom", 3: "top", 4: "top", 5: "right", 6: "left", 7: "left", 8: "right"}
    assert brightest == expected[orientation]


@pytest.mark.filterwarnings("ignore:.*EXIF")
def test_a_damaged_exif_block_does_not_matter() -> None:
    data = saved(PillowImage.new("RGB", (8, 8)), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert prepare_image(data, SETTINGS, low_detail=False).data is None


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_b121_images_over_the_side_limit_are_scaled_down(kind: str) -> None:
    settings = Settings(image_max_side_px=100)
    assert prepared(make_image(kind, 400, 200), settings).size == (100, 50)
    assert prepared(make_image(kind, 30, 300), settings).size == (10, 100)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF"])
def test_b120_low_detail_halves_the_side(kind: str) -> None:
    assert prepared(make_image(kind, 64, 48), low_detail=True).size == (32, 24)
    assert prepared(make_image(kind, 400, 200), Settings(image_max_side_px=100), low_detail=True).size == (50, 25)


def test_low_detail_leaves_a_single_pixel() -> None:
    assert prepare_image(make_image("PNG", 1, 1), SETTINGS, low_detail=True).data is None


def test_b121_a_bomb_is_refused_by_its_header() -> None:
    bomb = make_png_header(50_000, 50_000, bytes(1_000_000))
    fault = refusal(bomb)
    assert fault.reason == "image_too_many_pixels"
    assert all(word in fault.message for word in ("50000 x 50000", "40000000", "LOCALAIK_IMAGE_MAX_PIXELS"))


def test_b124_the_pixel_limit_can_be_switched_off() -> None:
    fault = refusal(make_png_header(50_000, 50_000, b"x"), Settings(image_max_pixels=0))
    assert fault.reason == "broken_image"


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("part", [0.02, 0.3, 0.6, 0.95])
def test_a_cut_off_image_never_passes(kind: str, part: float) -> None:
    data = make_image(kind, 640, 480)
    assert refusal(data[: int(len(data) * part)]).reason == "broken_image"


def test_a_png_without_pixels_never_passes() -> None:
    assert refusal(make_png_header(64, 64)).reason == "broken_image"
    assert refusal(make_png_header(64, 64, bytes(64 * 193 - 1))).reason == "broken_image"
    assert prepare_image(make_png_header(64, 64, bytes(64 * 193)), SETTINGS, low_detail=False).data is None


@given(st.data())
def test_a_png_with_one_changed_bit_never_passes_as_another(data: st.DataObject) -> None:
    whole = make_image("PNG", 24, 16)
    bit = data.draw(st.integers(8 * 8, (len(whole) - 12) * 8 - 1))  # signature and IEND apart
    damaged = bytearray(whole)
    damaged[bit // 8] ^= 1 << bit % 8
    assert not is_whole_png(bytes(damaged))


def test_bad_zlib_data_under_a_good_checksum_never_passes() -> None:
    good = zlib.compress(bytes(64 * 193), 9)
    whole = make_png_header(64, 64, bytes(64 * 193))
    garbage = b"\0" * len(good)
    damaged = whole.replace(b"IDAT" + good, b"IDAT" + garbage)
    crc = zlib.crc32(b"IDAT" + garbage).to_bytes(4)
    damaged = damaged.replace(garbage + zlib.crc32(b"IDAT" + good).to_bytes(4), garbage + crc)
    assert damaged != whole
    assert refusal(damaged).reason == "broken_image"


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (8, 8), (9, 5), (37, 23)])
def test_interlaced_png_sizes_are_counted_by_pass(size: tuple[int, int]) -> None:
    """Adam7 splits a picture into up to seven smaller ones; `raw` is what they take for 8-bit grey."""
    width, height = size
    starts = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    raw = 0
    for x, y, dx, dy in starts:
        columns, rows = len(range(x, width, dx)), len(range(y, height, dy))
        raw += rows * (columns + 1) if columns else 0

    def interlaced(body: bytes) -> bytes:
        header = width.to_bytes(4) + height.to_bytes(4) + bytes([8, 0, 0, 0, 1])
        chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(body)), (b"IEND", b"")]
        return b"\x89PNG\r\n\x1a\n" + b"".join(
            len(content).to_bytes(4) + kind + content + zlib.crc32(kind + content).to_bytes(4)
            for kind, content in chunks
        )

    assert is_whole_png(interlaced(bytes(raw)))
    assert PillowImage.open(io.BytesIO(interlaced(bytes(raw)))).getextrema() == (0, 0)
    assert not is_whole_png(interlaced(bytes(raw - 1)))


@pytest.mark.parametrize(
    ("data", "reason", "word"),
    [
        (b"", "broken_image", "not an image"),
        (b"hello", "broken_image", "not an image"),
        (b"RIFF\0\0\0\0WAVE", "broken_image", "audio/wav"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "unsupported_kind", "unsupported mime type: image/heic"),
        (b"GIF89a", "broken_image", "image/gif"),
        (b"\xff\xd8\xff\xe0", "broken_image", "image/jpeg"),
    ],
)
def test_what_is_no_image_is_refused(data: bytes, reason: str, word: str) -> None:
    fault = refusal(data)
    assert fault.reason == reason
    assert word in fault.message


@given(st.sampled_from(["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"]), st.data())
def test_damaged_files_are_read_or_refused(kind: str, data: st.DataObject) -> None:
    whole = bytearray(make_image(kind, 16, 12))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with suppress(MediaError):
        assert prepare_image(bytes(whole), SETTINGS, low_detail=False).mime in {"image/png", "image/jpeg"}
