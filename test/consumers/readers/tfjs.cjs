// Runs a model of TensorFlow.js in Node: `node tfjs.cjs JOB MODEL`; prints what was written as JSON.
const fs = require("fs");
const path = require("path");
const tf = require("@tensorflow/tfjs");

const [folder, model] = process.argv.slice(2);
const job = JSON.parse(fs.readFileSync(path.join(folder, "job.json")));
const topology = JSON.parse(fs.readFileSync(path.join(model, "model.json")));
const isGraph = topology.format === "graph-model";

function bytes(file) {
  const content = fs.readFileSync(file);
  return content.buffer.slice(content.byteOffset, content.byteOffset + content.byteLength);
}

function weights() {
  const shards = topology.weightsManifest.flatMap((group) => group.paths).map((name) => new Uint8Array(bytes(path.join(model, name))));
  const whole = new Uint8Array(shards.reduce((sum, shard) => sum + shard.length, 0));
  let at = 0;
  for (const shard of shards) {
    whole.set(shard, at);
    at += shard.length;
  }
  return whole.buffer;
}

const handler = {
  load: async () => ({
    ...topology,
    weightSpecs: topology.weightsManifest.flatMap((group) => group.weights),
    weightData: weights(),
  }),
};

function tensor(entry) {
  const buffer = bytes(path.join(folder, entry.file));
  if (entry.dtype === "float32") return tf.tensor(new Float32Array(buffer), entry.shape, "float32");
  if (entry.dtype === "int64") return tf.tensor(Int32Array.from(new BigInt64Array(buffer), Number), entry.shape, "int32");
  throw new Error(`TensorFlow.js has no ${entry.dtype}`);
}

function written(name, result) {
  const data = result.dataSync();
  const file = `${name.replace(/[^A-Za-z0-9]/g, "_")}-${Math.random().toString(36).slice(2)}.bin`;
  fs.writeFileSync(path.join(folder, file), Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  return { name, dtype: result.dtype, shape: result.shape, file };
}

async function main() {
  await tf.setBackend("cpu");
  const inputs = job.inputs.map(tensor);
  let found;
  if (isGraph) {
    const loaded = await tf.loadGraphModel(handler);
    const names = JSON.parse(fs.readFileSync(path.join(folder, "names.json")));
    const named = Object.fromEntries(names.inputs.map((name, i) => [name, inputs[i]]));
    found = await loaded.executeAsync(named, names.outputs);
  } else {
    const loaded = await tf.loadLayersModel(handler);
    found = loaded.predict(inputs.length === 1 ? inputs[0] : inputs);
  }
  const results = Array.isArray(found) ? found : [found];
  console.log(JSON.stringify(job.outputs.map((name, i) => written(name, results[i]))));
}

main().catch((error) => {
  console.error(`${error.name}: ${error.message}`);
  process.exit(1);
});
