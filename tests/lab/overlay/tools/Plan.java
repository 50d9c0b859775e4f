// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// HTTPS with java.net.http (HTTP/2 where the server has it): java Plan.java BASE, steps on standard input.
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.Scanner;

public class Plan {
    public static void main(String[] args) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        Scanner in = new Scanner(System.in);
        while (in.hasNext()) {
            String method = in.next(), path = in.next();
            byte[] body = new byte[in.nextInt()];
            int pause = in.nextInt();
            HttpRequest request = HttpRequest.newBuilder(URI.create(args[0] + path))
                .method(method, body.length == 0 ? HttpRequest.BodyPublishers.noBody()
                                                 : HttpRequest.BodyPublishers.ofByteArray(body))
                .build();
            System.out.println(client.send(request, HttpResponse.BodyHandlers.ofByteArray()).statusCode());
            Thread.sleep(pause);
        }
    }
}
