"""The core of a matrix product for Numba kernels: a tile of sums in vector registers.

LLVM keeps sums in registers only if their number is fixed and each is a variable of its own, so
the instructions are generated here, with LLVM's portable vectors.

After an edit here, touch the modules that compile it: Numba's cache does not see this file.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["ROWS", "VECTOR", "tile_product"]

#: Numbers per vector.
VECTOR = 16
#: Rows per tile.
ROWS = 4


def tile_product(vectors: int):
    """Return a function for compiled code that multiplies two matrices for a tile of ROWS rows.

    ``tile(a, a0, a_row, a_step, b, b0, b_step, s, s0, s_row, c, c0, c_row, terms)`` sets
    c[r, :] = s[r, :] + Σ_k a[r, k] b[k, :], k < terms. Each of a, b, s and c is a float32 array,
    with the index of its first element and its strides: a0 + r a_row + k a_step, b0 + k b_step,
    s0 + r s_row, c0 + r c_row. Rows of b, s and c are contiguous. Bounds are not checked.

    Parameters
    ----------
    vectors : int
        Columns of the tile in units of VECTOR; ROWS x vectors registers hold the sums.
    """
    vector = ir.VectorType(ir.FloatType(), VECTOR)
    lanes = ir.VectorType(ir.IntType(32), VECTOR)

    @intrinsic
    def tile(_, a, a0, a_row, a_step, b, b0, b_step, s, s0, s_row, c, c0, c_row, terms):
        n = types.int64
        signature = types.void(a, n, n, n, b, n, n, s, n, n, c, n, n, n)
        return signature, generate

    def generate(context, builder, signature, values):
        def first(number):
            array = context.make_array(signature.args[number])
            return array(context, builder, values[number]).data

        a, b, s, c = (first(number) for number in (0, 4, 7, 10))
        _, a0, a_row, a_step, _, b0, b_step, _, s0, s_row, _, c0, c_row, terms = values
        integer = terms.type

        def index(base, stride, row, column=0):
            base = builder.add(base, builder.mul(stride, integer(row)))
            return builder.add(base, integer(column * VECTOR))

        def vector_at(pointer, offset):
            return builder.bitcast(builder.gep(pointer, [offset]), vector.as_pointer())

        def spread(offset):
            undefined = ir.Constant(vector, ir.Undefined)
            value = builder.load(builder.gep(a, [offset]))
            value = builder.insert_element(undefined, value, ir.IntType(32)(0))
            return builder.shuffle_vector(value, undefined, lanes([0] * VECTOR))

        places = [(row, column) for row in range(ROWS) for column in range(vectors)]
        sums = {place: cgutils.alloca_once(builder, vector) for place in places}
        for place, total in sums.items():
            start = vector_at(s, index(s0, s_row, *place))
            builder.store(builder.load(start, align=4), total)
        with cgutils.for_range(builder, terms) as loop:
            b_first = builder.add(b0, builder.mul(loop.index, b_step))
            a_first = builder.add(a0, builder.mul(loop.index, a_step))
            b_values = [
                builder.load(vector_at(b, index(b_first, integer(0), 0, column)), align=4)
                for column in range(vectors)
            ]
            for row in range(ROWS):
                factor = spread(index(a_first, a_row, row))
                for column, b_value in enumerate(b_values):
                    total = sums[row, column]
                    term = builder.fmul(factor, b_value, flags=("contract",))
                    term = builder.fadd(builder.load(total), term, flags=("contract",))
                    builder.store(term, total)
        for place, total in sums.items():
            builder.store(builder.load(total), vector_at(c, index(c0, c_row, *place)), align=4)
        return context.get_dummy_value()

    return tile
