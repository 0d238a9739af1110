// Checks the signature of a path below /images and leads it to the object's key: what the API's own route does on one
// machine. Signature: HMAC-SHA256 over "EXPIRES:KEY", the first 24 bytes, base64url. The key lies in a key-value store
// that infra/secrets fills; no code and no state has it.
import cf from 'cloudfront';
import crypto from 'crypto';

const NOT_FOUND = { statusCode: 404, statusDescription: 'Not Found', headers: { 'cache-control': { value: 'no-store' } } };

function same(a, b) {
    if (a.length !== b.length) {
        return false;
    }
    let difference = 0;
    for (let i = 0; i < a.length; i++) {
        difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
    }
    return difference === 0;
}

async function handler(event) {
    const request = event.request;
    const expires = (request.querystring.expires || {}).value || '';
    const signature = (request.querystring.signature || {}).value || '';
    let key;
    try {
        key = decodeURIComponent(request.uri.substring('/images/'.length));
    } catch (error) {
        return NOT_FOUND;
    }
    if (!/^[0-9]{1,12}$/.test(expires) || Number(expires) * 1000 < Date.now()) {
        return NOT_FOUND;
    }
    const secret = await cf.kvs().get('media-signing-key');
    const digest = crypto.createHmac('sha256', secret).update(expires + ':' + key).digest('base64url');
    if (!same(digest.substring(0, 32), signature)) {
        return NOT_FOUND;
    }
    // The answer is the same for every signature of the key: caches hit whoever asks.
    request.uri = request.uri.substring('/images'.length);
    request.querystring = {};
    return request;
}
