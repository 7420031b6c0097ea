"""Products for Numba kernels, with their sums in vector registers: a tile of a matrix, and a dot.

LLVM keeps sums in registers only if their number is fixed and each is a variable of its own, so
the instructions are generated here, with LLVM's portable vectors.

After an edit here, touch the modules that compile it: Numba's cache does not see this file.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["LANES", "dot_product", "tile_product"]

#: Partial sums of a dot product, whatever the registers.
LANES = 16


def tile_product(rows: int, columns: int, vector: int):
    """Return a function for compiled code that multiplies two matrices for one tile of the result.

    ``tile(a, a0, a_row, a_step, b, b0, b_step, s, s0, s_row, c, c0, c_row, terms)`` sets
    c[r, :] = s[r, :] + Σ_k a[r, k] b[k, :], k < terms. Each of a, b, s and c is a float32 array,
    with the index of its first element and its strides: a0 + r a_row + k a_step, b0 + k b_step,
    s0 + r s_row, c0 + r c_row. Rows of b, s and c are contiguous. Bounds are not checked. The
    terms are added in order, with one rounding each where the processor has fused operations.

    Parameters
    ----------
    rows, columns : int
        Size of the tile.
    vector : int
        Numbers in a register, a divisor of `columns`.
    """
    numbers = ir.VectorType(ir.FloatType(), vector)
    lanes = ir.VectorType(ir.IntType(32), vector)
    vectors = range(columns // vector)

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
            return builder.add(base, integer(column * vector))

        def vector_at(pointer, offset):
            return builder.bitcast(builder.gep(pointer, [offset]), numbers.as_pointer())

        def spread(offset):
            undefined = ir.Constant(numbers, ir.Undefined)
            value = builder.load(builder.gep(a, [offset]))
            value = builder.insert_element(undefined, value, ir.IntType(32)(0))
            return builder.shuffle_vector(value, undefined, lanes([0] * vector))

        places = [(row, column) for row in range(rows) for column in vectors]
        sums = {place: cgutils.alloca_once(builder, numbers) for place in places}
        for place, total in sums.items():
            start = vector_at(s, index(s0, s_row, *place))
            builder.store(builder.load(start, align=4), total)
        with cgutils.for_range(builder, terms) as loop:
            b_first = builder.add(b0, builder.mul(loop.index, b_step))
            a_first = builder.add(a0, builder.mul(loop.index, a_step))
            b_values = [
                builder.load(vector_at(b, index(b_first, integer(0), 0, column)), align=4)
                for column in vectors
            ]
            for row in range(rows):
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


@intrinsic
def dot_product(_, a, a0, b, b0, terms):
    """Return Σ_k a[a0 + k] b[b0 + k], k < terms, of float32 arrays; `terms` is a multiple of LANES.

    Bounds are not checked.
    """
    n = types.int64
    return types.float32(a, n, b, n, n), _generate_dot


def _generate_dot(context, builder, signature, values):
    numbers = ir.VectorType(ir.FloatType(), LANES)
    arrays = (context.make_array(signature.args[number]) for number in (0, 2))
    a, b = (
        array(context, builder, value).data
        for array, value in zip(arrays, (values[0], values[2]), strict=True)
    )
    _, a0, _, b0, terms = values
    sums = cgutils.alloca_once_value(builder, ir.Constant(numbers, [0.0] * LANES))
    step = terms.type(LANES)

    def vector_at(pointer, offset):
        place = builder.bitcast(builder.gep(pointer, [offset]), numbers.as_pointer())
        return builder.load(place, align=4)

    with cgutils.for_range(builder, builder.sdiv(terms, step)) as loop:
        first = builder.mul(loop.index, step)
        left, right = (vector_at(p, builder.add(o, first)) for p, o in ((a, a0), (b, b0)))
        term = builder.fmul(left, right, flags=("contract",))
        builder.store(builder.fadd(builder.load(sums), term, flags=("contract",)), sums)
    total, length = builder.load(sums), LANES
    while length > 1:  # the upper half is added to the lower one
        length //= 2
        chosen = ir.VectorType(ir.IntType(32), length)
        low, high = (
            builder.shuffle_vector(total, total, chosen([first + lane for lane in range(length)]))
            for first in (0, length)
        )
        total = builder.fadd(low, high)
    return builder.extract_element(total, ir.IntType(32)(0))
