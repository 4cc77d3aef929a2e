"""One name for each dtype of array that crosses a module boundary; shapes and units are said where they are used."""

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]  # which rows, or columns, are meant
Int64s = npt.NDArray[np.int64]  # counts, offsets, and times in epoch milliseconds
Float64s = npt.NDArray[np.float64]  # numbers, shares, scores
Float32s = npt.NDArray[np.float32]  # numbers for pictures
UInt64s = npt.NDArray[np.uint64]  # hashes, and halves of digests
UInt32s = npt.NDArray[np.uint32]  # counts of one pane
Indices = npt.NDArray[np.intp]  # places in another array
Strings = npt.NDArray[np.str_]  # names and labels
AnyIntegers = npt.NDArray[np.integer]  # counts in the narrowest type that holds them
AnyUnsigned = npt.NDArray[np.unsignedinteger]  # stored counts, as narrow as they were packed
AnyNumbers = npt.NDArray[np.number]  # whatever a column of numbers holds
Objects = npt.NDArray[np.object_]  # values of Python
