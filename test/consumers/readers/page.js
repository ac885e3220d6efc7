// What the pages share: the job's arrays, and what is handed back.
const TYPES = { float32: Float32Array, int32: Int32Array, int64: BigInt64Array, int8: Int8Array, uint8: Uint8Array };

export async function run(compute) {
  try {
    const job = await (await fetch("/job/job.json")).json();
    for (const entry of job.inputs) {
      const buffer = await (await fetch(`/job/${entry.file}`)).arrayBuffer();
      if (!(entry.dtype in TYPES)) throw new Error(`no ${entry.dtype} here`);
      entry.data = new TYPES[entry.dtype](buffer);
    }
    window.found = (await compute(job)).map(handed);
  } catch (error) {
    window.failed = `${error.name || "Error"}: ${error.message || error}`;
  }
}

function handed({ name, dtype, shape, data }) {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  let text = "";
  for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  return { name, dtype, shape: [...shape], data: btoa(text) };
}
