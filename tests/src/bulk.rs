//! Components that are a burden to whoever compiles them.

/// Opcodes of WebAssembly, as far as they are needed here.
mod op {
    pub(super) const BLOCK: u8 = 0x02;
    pub(super) const END: u8 = 0x0b;
    pub(super) const BR_IF: u8 = 0x0d;
    pub(super) const LOCAL_GET: u8 = 0x20;
    pub(super) const LOCAL_SET: u8 = 0x21;
    pub(super) const I32_CONST: u8 = 0x41;
    pub(super) const I32_ADD: u8 = 0x6a;
    pub(super) const I32_XOR: u8 = 0x73;
    pub(super) const I32: u8 = 0x7f;
    pub(super) const NO_RESULT: u8 = 0x40;
}

/// A component that does the same and has so many bytes of code more, in functions of the usual size.
pub fn with_code(component: &[u8], bytes: usize) -> Vec<u8> {
    let body = body(4, 40, 12);
    with_module(component, bytes / body.len(), &body)
}

/// A component with a few functions that are as bad as the format allows: thousands of locals that are all alive in
/// thousands of nested blocks.
pub fn with_bomb(component: &[u8], functions: usize) -> Vec<u8> {
    with_module(component, functions, &body(10_000, 3_000, 100))
}

/// A module that nobody instantiates is compiled all the same.
fn with_module(component: &[u8], functions: usize, body: &[u8]) -> Vec<u8> {
    const CORE_MODULE: u8 = 1;
    let mut whole = component.to_vec();
    section(&mut whole, CORE_MODULE, &module(functions, body));
    whole
}

fn module(functions: usize, body: &[u8]) -> Vec<u8> {
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    // One type, without parameters and results, and all functions have it.
    section(&mut module, 1, &[1, 0x60, 0, 0]);
    let mut types = leb128(functions);
    types.resize(types.len() + functions, 0);
    section(&mut module, 3, &types);
    let mut code = leb128(functions);
    for _ in 0..functions {
        code.extend(leb128(body.len()));
        code.extend(body);
    }
    section(&mut module, 10, &code);
    module
}

/// So many locals; so many blocks in each other, each with so many steps that mix two locals and may leave the block.
fn body(locals: usize, blocks: usize, steps: usize) -> Vec<u8> {
    let mut body = leb128(1);
    body.extend(leb128(locals));
    body.push(op::I32);
    for block in 0..blocks {
        body.extend([op::BLOCK, op::NO_RESULT]);
        for step in 0..steps {
            let number = block * steps + step;
            body.push(op::LOCAL_GET);
            body.extend(leb128(number % locals));
            body.push(op::LOCAL_GET);
            body.extend(leb128((number * 7 + 1) % locals));
            body.push([op::I32_ADD, op::I32_XOR][number % 2]);
            body.push(op::LOCAL_SET);
            body.extend(leb128((number * 3 + 2) % locals));
        }
        body.extend([op::LOCAL_GET, 0, op::BR_IF, 0]);
        body.extend([op::I32_CONST, 1, op::LOCAL_SET, 0]);
    }
    body.resize(body.len() + blocks + 1, op::END);
    body
}

fn section(module: &mut Vec<u8>, id: u8, content: &[u8]) {
    module.push(id);
    module.extend(leb128(content.len()));
    module.extend(content);
}

fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7f).expect("seven bits");
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}
