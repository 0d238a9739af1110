// InvokeAI's page finds its own views: what names no file is its index.
function handler(event) {
    const request = event.request;
    const last = request.uri.substring(request.uri.lastIndexOf('/') + 1);
    if (!last.includes('.')) {
        request.uri = '/index.html';
    }
    return request;
}
