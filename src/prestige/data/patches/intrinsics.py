"""What compiled loops need and numba has no word for: hints to the processor, and four numbers at once.

Places are counted in elements of flat arrays, and nothing is checked.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_READ, _KEEP, _DATA = 0, 3, 1  # what LLVM's `prefetch` is told: for reading, close by, no instructions
_FLAG = ir.IntType(32)
_FOUR = ir.VectorType(ir.FloatType(), 4)

WIDE = 32
"""Bytes that :func:`stream` moves, and a multiple of which its target's address has to be."""

_BYTES = ir.VectorType(ir.IntType(8), WIDE)


@intrinsic
def prefetch(typing_context, array, place):
    """Ask for the bytes at a place of an array; nothing waits for them, and a place outside is ignored."""

    def generate(context, builder, signature, given):
        address = _address(context, builder, signature.args[0], given, ir.IntType(8))
        kind = ir.FunctionType(ir.VoidType(), [address.type, _FLAG, _FLAG, _FLAG])
        hint = builder.module.declare_intrinsic("llvm.prefetch", [address.type], kind)
        builder.call(hint, [address, _FLAG(_READ), _FLAG(_KEEP), _FLAG(_DATA)])
        return context.get_dummy_value()

    return types.void(array, place), generate


@intrinsic
def stream(typing_context, target, to, source, place):
    """Copy 32 bytes past the processor's caches: what is written need not be read first.

    The target's address is a multiple of 32.  Call :func:`settle` before others read what was written.
    """

    def generate(context, builder, signature, given):
        read = builder.load(_address(context, builder, signature.args[2], given[2:], _BYTES), align=1)
        address = _address(context, builder, signature.args[0], given[:2], _BYTES)
        builder.store(read, address, align=WIDE).set_metadata(
            "nontemporal", builder.module.add_metadata([_FLAG(1)])
        )
        return context.get_dummy_value()

    return types.void(target, to, source, place), generate


@intrinsic
def settle(typing_context):
    """Wait until everything that was streamed is where others see it."""

    def generate(context, builder, signature, given):
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def product(typing_context, table, places, line, out, to):
    """Write ``table[a + k] * table[b + k] * table[c + k] * scale - offset``, cut to 0..1, for k of 0 to 3.

    ``places`` are a, b and c, ``line`` scale and offset.  All four at once, each rounded as the same
    expression of single numbers is.
    """

    def generate(context, builder, signature, given):
        def entry(i):
            at = given[0], builder.extract_value(given[1], i)
            return builder.load(_address(context, builder, signature.args[0], at, _FOUR), align=4)

        def all_four(value):
            first = builder.insert_element(ir.Constant(_FOUR, ir.Undefined), value, _FLAG(0))
            return builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(_FLAG, 4), [0] * 4))

        scale, offset = (all_four(builder.extract_value(given[2], i)) for i in range(2))
        low, high = (ir.Constant(_FOUR, [ir.Constant(ir.FloatType(), bound)] * 4) for bound in (0.0, 1.0))
        value = builder.fmul(builder.fmul(entry(0), entry(1)), entry(2))
        value = builder.fsub(builder.fmul(value, scale), offset)
        value = builder.select(builder.fcmp_ordered(">", value, low), value, low)
        value = builder.select(builder.fcmp_ordered("<", value, high), value, high)
        builder.store(value, _address(context, builder, signature.args[3], given[3:], _FOUR), align=4)
        return context.get_dummy_value()

    return types.void(table, places, line, out, to), generate


def _address(context, builder, kind, at, pointed_at):
    """Return the address of an array's element, ``at``, as that of what is to be read or written there."""
    array, place = at
    start = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(start, [place]), pointed_at.as_pointer())
