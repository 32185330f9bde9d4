// What the default chain of the AWS SDK for JavaScript finds: the access key id and when it expires.
import { createRequire } from "node:module";

// The packages stand in a cache, not beside this file.
const { fromNodeProviderChain } = createRequire(process.argv[2])("@aws-sdk/credential-providers");
const { accessKeyId, expiration } = await fromNodeProviderChain()();
console.log(accessKeyId, expiration.toISOString().replace(".000Z", "Z"));
