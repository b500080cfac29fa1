    }
    us3_result_clear(&result);
    us3_client_free(client);
    return 0;
}
