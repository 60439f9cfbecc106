"""Connected regions of flagged pixels.

Only flagged pixels cost anything: a plane is searched eight bytes at a time
for runs of flagged pixels along rows, and runs are joined to regions.

Source: what ``stcal/jump/jump.py`` uses of ``skimage.measure``: ``label``, and
area and centroid of ``regionprops``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.detector1.kernels import array, b1, const, i4, i8, inner, kernel, u1, u8

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Regions", "find_regions"]

N, Y0, Y1, X0, X1, SUM_Y, SUM_X, SUM_YY, SUM_XX, FIRST, LAST = range(11)
"""Columns of a table of regions: pixels, bounds (ends exclusive), sums, first and last run."""

_SMALLEST_RING: Final = 8  # pixels: fewer enclose nothing


@inner
def _blank(words: Any, previous: Any, block: Any, spread: Any, appeared: Any) -> Any:
    """Tell whether none of eight pixels is flagged; blocks beyond the words are not looked at."""
    if block >= words.size:
        return False
    word = words[block] & spread
    if appeared:
        word &= ~previous[block]
    return word == np.uint64(0)


@inner
def _store(runs: Any, count: Any, row: Any, start: Any, end: Any) -> Any:
    if row < 0:
        return count
    if count < runs.shape[1]:
        runs[0, count] = row
        runs[1, count] = start
        runs[2, count] = end
    return count + 1


@kernel(const(u8, 1), const(u8, 1), const(u1, 1), const(u1, 1), b1, u1, i8, array(i4, 2))
def _find_runs(
    words: Any,
    previous_words: Any,
    pixels: Any,
    previous: Any,
    appeared: Any,
    bit: Any,
    nx: Any,
    runs: Any,
) -> Any:
    """Store runs (row, start, end) of flagged pixels; tell how many, even if they do not fit."""
    spread = np.uint64(0)
    for k in range(8):
        spread |= np.uint64(bit) << np.uint64(8 * k)
    count = 0
    row = 0
    row_end = nx
    open_row = -1
    start = 0
    end = -1
    for block in range((pixels.size + 7) // 8):
        if _blank(words, previous_words, block, spread, appeared):
            continue
        for place in range(8 * block, min(8 * block + 8, pixels.size)):
            if pixels[place] & bit == 0 or (appeared and previous[place] & bit != 0):
                continue
            while place >= row_end:
                row += 1
                row_end += nx
            x = place - (row_end - nx)
            if open_row != row or end != x:
                count = _store(runs, count, open_row, start, end)
                open_row = row
                start = x
            end = x + 1
    return _store(runs, count, open_row, start, end)


@inner
def _root(label: Any, i: Any) -> Any:
    while label[i] != i:
        label[i] = label[label[i]]
        i = label[i]
    return i


@kernel(const(i4, 2), array(i4, 1))
def _join_runs(runs: Any, label: Any) -> Any:
    """Join runs that touch, also at corners; number regions by first pixels; tell how many."""
    previous = 0
    previous_end = 0
    current = 0
    candidate = 0
    for i in range(label.size):
        label[i] = i
        row = runs[0, i]
        if i == 0 or row != runs[0, i - 1]:
            adjacent = i > 0 and runs[0, i - 1] == row - 1
            previous = current if adjacent else i
            previous_end = i
            current = i
            candidate = previous
        start = runs[1, i]
        end = runs[2, i]
        while candidate < previous_end and runs[2, candidate] < start:
            candidate += 1
        other = candidate
        while other < previous_end and runs[1, other] <= end:
            a = _root(label, i)
            b = _root(label, other)
            label[max(a, b)] = min(a, b)
            other += 1
    # A root comes before all else of its region, so its number is known when it is asked for.
    count = 0
    for i in range(label.size):
        if label[i] == i:
            label[i] = count
            count += 1
        else:
            label[i] = label[label[i]]
    return count


@kernel(const(i4, 2), const(i4, 1), array(i4, 1), array(i8, 2))
def _measure(runs: Any, label: Any, following: Any, table: Any) -> None:
    """Fill a table of zeros, and chain the runs of each region."""
    for i in range(label.size):
        region = label[i]
        y = np.int64(runs[0, i])
        start = np.int64(runs[1, i])
        end = np.int64(runs[2, i])
        length = end - start
        following[i] = -1
        entry = table[region]
        if entry[N] == 0:
            entry[Y0] = y
            entry[X0] = start
            entry[X1] = end
            entry[FIRST] = i
        else:
            following[entry[LAST]] = i
            entry[X0] = min(entry[X0], start)
            entry[X1] = max(entry[X1], end)
        entry[LAST] = i
        entry[Y1] = y + 1
        entry[N] += length
        entry[SUM_Y] += y * length
        entry[SUM_YY] += y * y * length
        entry[SUM_X] += (start + end - 1) * length // 2
        before = (start - 1) * start * (2 * start - 1) // 6
        entry[SUM_XX] += (end - 1) * end * (2 * end - 1) // 6 - before


@kernel(const(i4, 2), const(i4, 1), i8, i8, i8, array(u1, 2))
def _render(runs: Any, following: Any, first: Any, y0: Any, x0: Any, image: Any) -> None:
    run = first
    while run >= 0:
        y = runs[0, run] - y0
        for x in range(runs[1, run] - x0, runs[2, run] - x0):
            image[y, x] = 1
        run = following[run]


@kernel(array(u1, 2), array(i4, 1))
def _enclosed(image: Any, stack: Any) -> Any:
    """Count the zeros that no path of zeros, diagonal steps included, leads out of."""
    ny, nx = image.shape
    depth = 0
    zeros = 0
    for y in range(ny):
        for x in range(nx):
            if image[y, x] == 0:
                zeros += 1
                if y == 0 or x == 0 or y == ny - 1 or x == nx - 1:
                    image[y, x] = 2
                    stack[depth] = y * nx + x
                    depth += 1
    outside = 0
    while depth > 0:
        depth -= 1
        outside += 1
        place = stack[depth]
        cy = place // nx
        cx = place - cy * nx
        for y in range(max(cy - 1, 0), min(cy + 2, ny)):
            for x in range(max(cx - 1, 0), min(cx + 2, nx)):
                if image[y, x] == 0:
                    image[y, x] = 2
                    stack[depth] = y * nx + x
                    depth += 1
    return zeros - outside


class Regions:
    """The regions of one plane, ordered by their first pixels.

    Parameters
    ----------
    runs
        Rows, starts and ends of runs of flagged pixels, in order.
    """

    def __init__(self, runs: NDArray[np.int32]) -> None:
        count = runs.shape[1]
        label = np.empty(count, np.int32)
        self._runs = runs
        self._following = np.empty(count, np.int32)
        self.table = np.zeros((_join_runs(runs, label), 11), np.int64)
        _measure(runs, label, self._following, self.table)

    def __len__(self) -> int:
        """How many regions there are."""
        return len(self.table)

    @property
    def rows(self) -> NDArray[np.float64]:
        """Rows of the centroids."""
        rows: NDArray[np.float64] = self.table[:, SUM_Y] / self.table[:, N]
        return rows

    @property
    def columns(self) -> NDArray[np.float64]:
        """Columns of the centroids."""
        columns: NDArray[np.float64] = self.table[:, SUM_X] / self.table[:, N]
        return columns

    def variances(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Variances of rows and of columns within each region, to some 1e-8 px²."""
        n = self.table[:, N]
        return (
            self.table[:, SUM_YY] / n - self.rows**2,
            self.table[:, SUM_XX] / n - self.columns**2,
        )

    def centre(self, index: int | np.intp) -> tuple[int, int]:
        """Round a region's centroid to a pixel (row, column).

        Parameters
        ----------
        index
            Which region.
        """
        entry = self.table[index].tolist()
        return round(entry[SUM_Y] / entry[N]), round(entry[SUM_X] / entry[N])

    def image(self, index: int | np.intp) -> NDArray[np.uint8]:
        """Draw a region's pixels in its bounding box.

        Parameters
        ----------
        index
            Which region.
        """
        entry = self.table[index]
        image = np.zeros((entry[Y1] - entry[Y0], entry[X1] - entry[X0]), np.uint8)
        _render(self._runs, self._following, entry[FIRST], entry[Y0], entry[X0], image)
        return image

    def filled_area(self, index: int | np.intp) -> int:
        """Count a region's pixels and those that it encloses.

        Parameters
        ----------
        index
            Which region.
        """
        image = self.image(index)
        enclosed: int = _enclosed(image, np.empty(image.size, np.int32))
        return int(self.table[index, N]) + enclosed

    def at_least(self, area: float) -> NDArray[np.intp]:
        """Choose the regions of some filled area.

        Parameters
        ----------
        area
            Least number of pixels, holes included.
        """
        n = self.table[:, N]
        enough = n >= area
        boxes = (self.table[:, Y1] - self.table[:, Y0]) * (self.table[:, X1] - self.table[:, X0])
        # A region that is too small may still enclose enough.
        for index in np.flatnonzero(~enough & (n >= _SMALLEST_RING) & (boxes >= area)):
            enough[index] = self.filled_area(index) >= area
        return np.flatnonzero(enough)


def find_regions(
    plane: NDArray[np.uint8], bit: int, before: NDArray[np.uint8] | None = None
) -> Regions | None:
    """Find the regions of flagged pixels that touch, also at corners.

    Parameters
    ----------
    plane
        (ny, nx), contiguous.
    bit
        Pixels with this bit are flagged.
    before
        As `plane`: pixels with the bit here are not.

    Returns
    -------
    Regions or None
        None if no pixel is flagged.
    """
    pixels = plane.reshape(-1)
    previous = pixels if before is None else before.reshape(-1)
    words, previous_words = _words(pixels), _words(previous)
    if words is None or previous_words is None:
        words = previous_words = np.empty(0, np.uint64)
    capacity = 1 << 14
    while True:
        runs = np.empty((3, capacity), np.int32)
        count = _find_runs(
            words, previous_words, pixels, previous, before is not None, bit, plane.shape[1], runs
        )
        if count == 0:
            return None
        if count <= capacity:
            return Regions(np.ascontiguousarray(runs[:, :count]))
        capacity = count


def _words(pixels: NDArray[np.uint8]) -> NDArray[np.uint64] | None:
    """Look at pixels eight at a time, if they lie so in memory."""
    words = pixels[: pixels.size // 8 * 8].view(np.uint64)
    return words if words.flags.aligned else None
