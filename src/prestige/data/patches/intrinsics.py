"""What compiled loops need and numba has no word for: four numbers at once.

Places are counted in elements of flat arrays, and nothing is checked.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_FLAG = ir.IntType(32)
_FOUR = ir.VectorType(ir.FloatType(), 4)


@intrinsic
def product(typing_context, table, places, line, out, to):
    """Write ``table[a + k] * table[b + k] * table[c + k] * scale - offset``, cut to 0..1, for k of 0 to 3.

    ``places`` are a, b and c, ``line`` scale and offset.  All four at once, each rounded as the same
    expression of single numbers is.
    """

    def generate(context, builder, signature, given):
        def entry(i):
            at = given[0], builder.extract_value(given[1], i)
            return builder.load(_address(context, builder, signature.args[0], at), align=4)

        def all_four(value):
            first = builder.insert_element(ir.Constant(_FOUR, ir.Undefined), value, _FLAG(0))
            return builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(_FLAG, 4), [0] * 4))

        scale, offset = (all_four(builder.extract_value(given[2], i)) for i in range(2))
        low, high = (ir.Constant(_FOUR, [ir.Constant(ir.FloatType(), bound)] * 4) for bound in (0.0, 1.0))
        value = builder.fmul(builder.fmul(entry(0), entry(1)), entry(2))
        value = builder.fsub(builder.fmul(value, scale), offset)
        value = builder.select(builder.fcmp_ordered(">", value, low), value, low)
        value = builder.select(builder.fcmp_ordered("<", value, high), value, high)
        builder.store(value, _address(context, builder, signature.args[3], given[3:]), align=4)
        return context.get_dummy_value()

    return types.void(table, places, line, out, to), generate


def _address(context, builder, kind, at):
    """Return the address of an array's element, ``at``, as that of four numbers."""
    array, place = at
    start = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(start, [place]), _FOUR.as_pointer())
