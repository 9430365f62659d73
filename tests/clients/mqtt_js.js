// MQTT.js: a round trip, or the rules of an ACL. Call: mqtt_js.js PORT SCENARIO VERSION.

const mqtt = require("mqtt");

const [port, scenario, version] = process.argv.slice(2);
const MQTT_5 = version === "5";

function fail(why) {
  console.error(`${scenario} with MQTT ${version}: ${why}`);
  process.exit(1);
}

// How long a scenario may take on a busy machine.
setTimeout(() => fail("it took too long"), 30_000).unref();

async function connect(clientId) {
  return mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, {
    clientId,
    protocolVersion: MQTT_5 ? 5 : 4,
    reconnectPeriod: 0,
  });
}

function nextMessage(client) {
  return new Promise((resolve) => {
    client.once("message", (topic, payload, packet) => resolve({ topic, payload: payload.toString(), packet }));
  });
}

// The error that a promise ends with.
async function refusal(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return fail("what should be refused was not");
}

async function roundTrip() {
  const listener = await connect("js-listener");
  const sender = await connect("js-sender");
  const granted = await listener.subscribeAsync("js/#", { qos: 2 });
  if (granted[0].qos !== 2) fail(`granted ${granted[0].qos}`);
  for (const qos of [0, 1, 2]) {
    const heard = nextMessage(listener);
    const properties = MQTT_5 ? { userProperties: { from: "js" } } : undefined;
    await sender.publishAsync("js/topic", `QoS ${qos}`, { qos, properties });
    const { topic, payload, packet } = await heard;
    if (topic !== "js/topic" || payload !== `QoS ${qos}` || packet.qos !== qos) fail(`heard ${topic} ${payload} ${packet.qos}`);
    if (MQTT_5 && packet.properties?.userProperties?.from !== "js") fail("the user property is lost");
  }
  await sender.endAsync();
  await listener.endAsync();
}

async function acl() {
  const client = await connect("lamp");
  const denied = await refusal(client.subscribeAsync("secret/#", { qos: 1 }));
  const code = denied.code ?? denied.message;
  if (MQTT_5 ? code !== 0x87 && !/not authorized/i.test(denied.message) : !/128|unspecified/i.test(String(denied.message) + code)) {
    fail(`the subscription was refused with ${code}: ${denied.message}`);
  }
  await client.subscribeAsync("open/#", { qos: 1 });
  if (MQTT_5) {
    const error = await refusal(client.publishAsync("secret/x", "no", { qos: 1 }));
    if (error.code !== 0x87) fail(`the message was refused with ${error.code}`);
  } else {
    await client.publishAsync("secret/x", "no", { qos: 1 });
  }
  const heard = nextMessage(client);
  await client.publishAsync("open/x", "yes", { qos: 1 });
  if ((await heard).payload !== "yes") fail("what is allowed did not pass");
  await client.endAsync();
}

const scenarios = { roundTrip, acl };
scenarios[scenario]()
  .then(() => console.log(`${scenario} with MQTT ${version}: good`))
  .catch((error) => fail(error.stack));
